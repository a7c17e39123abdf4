//! The connections on which buckets are reached: HTTP/1.1 and TLS by the libraries that the workspace has anyway, with the
//! machine's certificate authorities. Decides nothing; trying again is `object_store`'s.

use std::time::Duration;

use async_trait::async_trait;
use http_body_util::BodyExt;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector as Tcp;
use hyper_util::rt::TokioExecutor;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse, HttpResponseBody,
    HttpService,
};

const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// Until the answer begins, which is after a part has been sent.
const ANSWER_WITHIN: Duration = Duration::from_secs(120);

/// Makes the one client of a destination.
#[derive(Debug)]
pub struct Connector;

#[derive(Debug)]
struct Connections(Client<HttpsConnector<Tcp>, HttpRequestBody>);

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        // A second call is refused and harmless.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut tcp = Tcp::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT_WITHIN));
        let authorities = HttpsConnectorBuilder::new().with_native_roots();
        let authorities = authorities.map_err(|e| object_store::Error::Generic {
            store: "S3",
            source: format!("the machine's certificate authorities cannot be read: {e}").into(),
        })?;
        let tls = authorities.https_or_http().enable_http1().wrap_connector(tcp);
        Ok(HttpClient::new(Connections(Client::builder(TokioExecutor::new()).build(tls))))
    }
}

#[async_trait]
impl HttpService for Connections {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let answer = tokio::time::timeout(ANSWER_WITHIN, self.0.request(request)).await;
        let answer = answer.map_err(|e| HttpError::new(HttpErrorKind::Timeout, e))?;
        let answer = answer.map_err(|e| {
            let kind = if e.is_connect() { HttpErrorKind::Connect } else { HttpErrorKind::Request };
            HttpError::new(kind, e)
        })?;
        let body = |e| HttpError::new(HttpErrorKind::Interrupted, e);
        Ok(answer.map(|incoming| HttpResponseBody::new(incoming.map_err(body))))
    }
}
