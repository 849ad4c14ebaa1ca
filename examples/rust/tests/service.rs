//! The service with a database that the test answers, and the program as a whole.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use kvlight_service::{Article, Articles, Database, cached, service};
use std::collections::HashMap;
use std::error::Error;
use std::future::poll_fn;
use std::pin::Pin;
use std::process::Stdio;
use std::task::Poll;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::sync::{mpsc, oneshot};
use tower::ServiceExt;

type Found = Result<HashMap<u64, Article>, Box<dyn Error + Send + Sync>>;

/// A query that waits for the test to answer it.
struct Asked {
    ids: Vec<u64>,
    answer: oneshot::Sender<Found>,
}

impl Asked {
    /// Answers with an article for each id below 100.
    fn answer(self) {
        let known = self.ids.iter().filter(|id| **id < 100);
        let found = known.map(|id| (*id, Article { title: format!("Article {id}") })).collect();
        let _ = self.answer.send(Ok(found));
    }
}

/// Passes each query to the test.
struct TestDatabase(mpsc::UnboundedSender<Asked>);

impl Database for TestDatabase {
    async fn articles(&self, ids: &[u64]) -> Found {
        let (answer, answered) = oneshot::channel();
        let asked = Asked { ids: ids.to_vec(), answer };
        self.0.send(asked).unwrap_or_else(|_| panic!("the test listens"));
        answered.await?
    }
}

fn start() -> (Articles, mpsc::UnboundedReceiver<Asked>) {
    let (send, queries) = mpsc::unbounded_channel();
    (cached(TestDatabase(send)).expect("valid settings"), queries)
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

async fn get(service: Router, path: &str) -> Answer {
    let request = Request::get(path).body(Body::empty()).expect("a valid request");
    let response = service.oneshot(request).await.expect("the service always responds");
    let (status, headers) = (response.status(), response.headers().clone());
    let body = to_bytes(response.into_body(), 1 << 20).await.expect("a short body");
    Answer { status, headers, text: String::from_utf8(body.to_vec()).expect("UTF-8") }
}

/// Polls the future once, to start the request.
async fn begin(call: &mut (impl Future<Output = Answer> + Unpin)) {
    poll_fn(|context| {
        assert!(Pin::new(&mut *call).poll(context).is_pending(), "the database has not answered");
        Poll::Ready(())
    })
    .await;
}

#[tokio::test]
async fn a_miss_asks_the_database_and_a_hit_does_not() {
    let (articles, mut queries) = start();
    let service = service(articles);
    let (missed, ()) = tokio::join!(get(service.clone(), "/articles/7"), async {
        let asked = queries.recv().await.expect("a query");
        assert_eq!(asked.ids, [7]);
        asked.answer();
    });
    assert_eq!((missed.status, missed.text.as_str()), (StatusCode::OK, r#"{"title":"Article 7"}"#));
    let hit = get(service.clone(), "/articles/7").await;
    assert_eq!((hit.status, hit.text), (StatusCode::OK, missed.text));
    assert!(queries.try_recv().is_err());
    let stats = get(service, "/stats").await;
    assert_eq!(stats.headers["content-type"], "application/json");
    assert!(stats.text.contains(r#""hits":1"#), "{}", stats.text);
}

#[tokio::test]
async fn an_id_without_an_article_is_404_and_is_remembered() {
    let (articles, mut queries) = start();
    let service = service(articles);
    let (absent, ()) = tokio::join!(get(service.clone(), "/articles/404"), async { queries.recv().await.expect("a query").answer() });
    assert_eq!(absent.status, StatusCode::NOT_FOUND);
    assert_eq!(get(service.clone(), "/articles/404").await.status, StatusCode::NOT_FOUND);
    assert!(queries.try_recv().is_err());
    assert_eq!(get(service, "/articles/seven").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn several_articles_are_one_query() {
    let (articles, mut queries) = start();
    let service = service(articles);
    let (found, ()) = tokio::join!(get(service.clone(), "/articles?ids=8,404,9,8"), async {
        let asked = queries.recv().await.expect("a query");
        assert_eq!(asked.ids, [8, 404, 9]);
        asked.answer();
    });
    assert_eq!(found.status, StatusCode::OK);
    assert_eq!(found.text, r#"{"8":{"title":"Article 8"},"9":{"title":"Article 9"},"404":null}"#);
    assert_eq!(get(service, "/articles?ids=8,nine").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn fifty_requests_of_one_article_are_one_query() {
    let (articles, mut queries) = start();
    let service = service(articles);
    let mut calls: Vec<_> = (0..50).map(|_| Box::pin(get(service.clone(), "/articles/7"))).collect();
    for call in &mut calls {
        begin(call).await;
    }
    queries.recv().await.expect("a query").answer();
    for call in calls {
        assert_eq!(call.await.text, r#"{"title":"Article 7"}"#);
    }
    assert!(queries.try_recv().is_err());
}

#[tokio::test]
async fn a_failure_is_503_with_the_time_of_the_next_attempt() {
    let (articles, mut queries) = start();
    let service = service(articles);
    for path in ["/articles/7", "/articles?ids=7,8"] {
        let (failed, ()) = tokio::join!(get(service.clone(), path), async {
            let _ = queries.recv().await.expect("a query").answer.send(Err("the database is down".into()));
        });
        assert_eq!((failed.status, failed.text.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "the database is down"));
        assert_eq!(failed.headers["retry-after"], "1");
    }
}

#[tokio::test]
async fn a_client_that_goes_away_cancels_its_fetch_and_no_other() {
    let (articles, mut queries) = start();
    let service = service(articles);
    let mut leaves = Box::pin(get(service.clone(), "/articles/7"));
    let mut stays = Box::pin(get(service.clone(), "/articles/7"));
    let mut alone = Box::pin(get(service.clone(), "/articles/8"));
    begin(&mut leaves).await;
    begin(&mut stays).await;
    begin(&mut alone).await;
    drop((leaves, alone));
    let stats = get(service, "/stats").await.text;
    assert!(stats.contains(r#""cancels":2"#) && stats.contains(r#""cancelled":1"#), "{stats}");
    while let Some(asked) = queries.recv().await {
        if asked.ids == [7] {
            asked.answer();
            break;
        }
    }
    assert_eq!(stays.await.status, StatusCode::OK);
}

#[tokio::test]
async fn requests_in_progress_fail_when_the_cache_is_shut_down() {
    let (articles, mut queries) = start();
    let mut call = Box::pin(get(service(articles.clone()), "/articles/7"));
    begin(&mut call).await;
    let asked = queries.recv().await.expect("a query");
    tokio::task::spawn_blocking(|| articles.shut_down()).await.expect("no panic");
    let closed = call.await;
    assert_eq!((closed.status, closed.headers.get("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, None));
    // An answer that comes too late harms nothing.
    asked.answer();
}

#[tokio::test]
async fn the_program_serves_until_it_is_interrupted() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_kvlight-service"))
        .arg("127.0.0.1:0")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the program starts");
    let mut lines = BufReader::new(program.stdout.take().expect("a pipe")).lines();
    let said = lines.next_line().await.expect("a text").expect("the address");
    let address = said.trim_start_matches("http://").split('/').next().expect("an address");
    let mut client = TcpStream::connect(address).await.expect("the program listens");
    client.write_all(b"GET /articles/7 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.expect("a connection");
    let mut response = String::new();
    client.read_to_string(&mut response).await.expect("a response");
    assert!(response.starts_with("HTTP/1.1 200 ") && response.ends_with(r#"{"title":"Article 7"}"#), "{response}");
    let id = program.id().expect("the program runs").to_string();
    assert!(Command::new("sh").args(["-c", "kill -INT $0", &id]).status().await.expect("a shell").success());
    assert!(program.wait().await.expect("a status").success());
}
