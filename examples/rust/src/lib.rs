//! A web service that serves the articles of a slow database through kvlight. Each article is loaded once, however many clients ask for it
//! at the same time; an id without an article is remembered too; and while the database fails, expired articles are served.
//!
//! - `GET /articles/7`: an article; 404 if there is none.
//! - `GET /articles?ids=7,8,9`: several articles, loaded with one query; null where there is none.
//! - `GET /stats`: the statistics of the cache.

use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use kvlight::{FetchError, LoadRequest, Tasks};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;

#[derive(Serialize)]
pub struct Article {
    pub title: String,
}

/// The cache of articles by id, with the database behind it. A clone is another handle to the same cache.
pub type Articles = Tasks<u64, Article>;

pub trait Database: Send + Sync + 'static {
    /// Returns the articles with these ids. Ids without an article are left out.
    fn articles(&self, ids: &[u64]) -> impl Future<Output = Result<HashMap<u64, Article>, Box<dyn Error + Send + Sync>>> + Send;
}

/// A cache in front of `database`, whose queries run on the current runtime.
pub fn cached(database: impl Database) -> Result<Articles, FetchError> {
    let (database, runtime) = (Arc::new(database), Handle::current());
    Tasks::builder()
        .set("cache.capacity", 100_000)
        .set("cache.ttl_ms", Duration::from_secs(60))
        .set("stale.ttl_ms", Duration::from_secs(3600))
        .set("timeout_ms", Duration::from_secs(5))
        .provider(move |request| {
            // The request moves into the task, which answers it when the database does.
            runtime.spawn(load(database.clone(), request));
        })
        .build()
}

async fn load(database: Arc<impl Database>, request: LoadRequest<u64, Article>) {
    let ids = request.keys();
    match database.articles(&ids).await {
        Ok(mut found) => {
            for (index, id) in ids.iter().enumerate() {
                if let Some(article) = found.remove(id) {
                    request.resolve(index, article);
                }
            }
            request.finish_absent();
        }
        Err(error) => request.finish_failed(error),
    }
}

pub fn service(articles: Articles) -> Router {
    Router::new().route("/articles/{id}", get(one)).route("/articles", get(many)).route("/stats", get(stats)).with_state(articles)
}

/// If the client goes away, axum drops this future. That cancels the fetch, and also its load if no other client waits for it.
async fn one(State(articles): State<Articles>, Path(id): Path<u64>) -> Result<Response, Failure> {
    Ok(match articles.fetch(&id).await? {
        Some(article) => Json(article).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    })
}

#[derive(Deserialize)]
struct Wanted {
    ids: String,
}

async fn many(State(articles): State<Articles>, Query(wanted): Query<Wanted>) -> Result<Response, Failure> {
    let Ok(ids) = wanted.ids.split(',').map(str::parse).collect::<Result<Vec<u64>, _>>() else {
        return Ok(StatusCode::BAD_REQUEST.into_response());
    };
    let results = articles.fetch_all(&ids).await?;
    let found = ids.into_iter().zip(results).map(|(id, result)| Ok((id, result?))).collect::<Result<BTreeMap<_, _>, FetchError>>()?;
    Ok(Json(found).into_response())
}

async fn stats(State(articles): State<Articles>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], articles.cache().stats_json())
}

/// A fetch that failed, as a response.
struct Failure(FetchError);

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Failure {
        Failure(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = (StatusCode::SERVICE_UNAVAILABLE, self.0.to_string()).into_response();
        if self.0.is_retriable() {
            response.headers_mut().insert(header::RETRY_AFTER, 1.into());
        }
        response
    }
}
