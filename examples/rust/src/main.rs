//! Starts the service: `kvlight-service [ADDRESS]`. Ctrl-C ends it, after the requests in progress.

use kvlight_service::{Article, Database, cached, service};
use std::collections::HashMap;
use std::error::Error;
use std::time::Duration;
use tokio::net::TcpListener;

/// Stands for a database of a thousand articles that takes 200 ms for each query.
struct SlowDatabase;

impl Database for SlowDatabase {
    async fn articles(&self, ids: &[u64]) -> Result<HashMap<u64, Article>, Box<dyn Error + Send + Sync>> {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let known = ids.iter().filter(|id| **id < 1000);
        Ok(known.map(|id| (*id, Article { title: format!("Article {id}") })).collect())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let articles = cached(SlowDatabase)?;
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("http://{}/articles/7", listener.local_addr()?);
    let interrupted = async { tokio::signal::ctrl_c().await.expect("the signal can be handled") };
    axum::serve(listener, service(articles.clone())).with_graceful_shutdown(interrupted).await?;
    // `shut_down` waits for threads of the cache, so it must not run on a thread of the runtime.
    tokio::task::spawn_blocking(|| articles.shut_down()).await?;
    Ok(())
}
