//! What the daemon shows to a browser and to other tools.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Multipart, Path, State};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{debug_handler, Json, Router};
use fb_config::Project;
use fb_core_types::{Name, PROTOCOL_VERSION, RELEASE_NAME};
use fb_events::{BuildId, Event};
use fb_storage::{Store, StoreError};
use fb_telemetry::count;
use serde::Serialize;
use serde_json::{json, Value};
use tower::limit::GlobalConcurrencyLimitLayer;
use tower_http::compression::CompressionLayer;
use tower_http::cors::CorsLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;
use tracing::debug;

#[derive(Clone)]
pub struct Site {
    pub project: Arc<Project>,
    pub store: Arc<Store>,
}

#[derive(Serialize)]
struct Health {
    release: &'static str,
    protocol: u16,
    project: Name,
    events: u64,
}

struct Failure(StatusCode, String);

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

#[debug_handler]
async fn health(State(site): State<Site>) -> Result<Json<Health>, Failure> {
    count("web.health", 1);
    Ok(Json(Health {
        release: RELEASE_NAME,
        protocol: PROTOCOL_VERSION,
        project: site.project.name.clone(),
        events: site.store.count()?,
    }))
}

#[debug_handler]
async fn events(
    State(site): State<Site>,
    Path(environment): Path<String>,
) -> Result<Json<Vec<Event>>, Failure> {
    let missing = || Failure(StatusCode::NOT_FOUND, format!("no environment `{environment}`"));
    let name = Name::new(environment.as_str()).map_err(|_| missing())?;
    let found = site.project.environments.get(&name).ok_or_else(missing)?;
    Ok(Json(site.store.events(BuildId::for_build(found.platform, &name))?))
}

/// Takes files and tells their sizes.
#[debug_handler]
async fn upload(mut form: Multipart) -> Result<Json<Value>, Failure> {
    let bad = |e: axum::extract::multipart::MultipartError| Failure(e.status(), e.body_text());
    let mut sizes = serde_json::Map::new();
    while let Some(field) = form.next_field().await.map_err(bad)? {
        let name = field.file_name().unwrap_or("unnamed").to_owned();
        sizes.insert(name, field.bytes().await.map_err(bad)?.len().into());
    }
    Ok(Json(Value::Object(sizes)))
}

async fn monitor(State(site): State<Site>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(move |socket| async move {
        if let Err(error) = answer(socket, &site).await {
            debug!(%error, "a monitor went away");
        }
    })
}

/// Answers every text with the number of events so far.
async fn answer(mut socket: WebSocket, site: &Site) -> Result<(), axum::Error> {
    while let Some(message) = socket.recv().await {
        if let Message::Text(_) = message? {
            let events = site.store.count().map_err(axum::Error::new)?;
            socket.send(Message::Text(events.to_string().into())).await?;
        }
    }
    Ok(())
}

pub fn router(site: Site) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/events/{environment}", get(events))
        .route("/upload", post(upload))
        .route("/monitor", get(monitor))
        .layer(CompressionLayer::new())
        .layer(CorsLayer::new().allow_origin(HeaderValue::from_static("http://localhost:8080")))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, Duration::from_secs(30)))
        .layer(TraceLayer::new_for_http())
        .layer(GlobalConcurrencyLimitLayer::new(64))
        .with_state(site)
}

/// Asks the router as a browser would, without a socket.
pub async fn ask(router: Router, path: &str) -> Result<(StatusCode, Value), axum::Error> {
    use tower::ServiceExt;
    let request = axum::http::Request::get(path).body(axum::body::Body::empty()).map_err(axum::Error::new)?;
    let response = router.oneshot(request).await.map_err(axum::Error::new)?;
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await?;
    Ok((status, serde_json::from_slice(&body).map_err(axum::Error::new)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn unknown_environments_are_not_found() {
        let project = Arc::new(Project::from_toml(fb_config::SAMPLE).unwrap());
        let site = Site { project, store: Arc::new(Store::in_memory().unwrap()) };
        let (status, _) = ask(router(site.clone()), "/events/nonesuch").await.unwrap();
        assert_eq!(status, StatusCode::NOT_FOUND);
        let (status, health) = ask(router(site), "/health").await.unwrap();
        assert_eq!((status, &health["release"]), (StatusCode::OK, &RELEASE_NAME.into()));
    }
}
