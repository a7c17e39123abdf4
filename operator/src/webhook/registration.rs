//! How the API server is told of the webhook. Fail closed for Chain: a change that would cost a quorum must not slip in while
//! the operator is away. Open for the rest: what they could do wrong is refused again where it is carried out.

use k8s_openapi::{
    ByteString,
    api::admissionregistration::v1::{
        RuleWithOperations, ServiceReference, ValidatingWebhook, ValidatingWebhookConfiguration, WebhookClientConfig,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::Client;
use operator_api::{ApplicationSpec, ChainSpec, GROUP, Kind, TenantSpec, VERSION};

use crate::{
    config::Config,
    objects::{Change, Child, names},
};

/// The path that the API server calls.
pub const PATH: &str = "/validate";
/// The longest that a person waits for an answer; nodes are asked for less.
pub const TIMEOUT_S: i32 = 5;

/// Written only if it says something else now.
pub async fn ensure(client: &Client, config: &Config, authorities: &str) -> anyhow::Result<Change> {
    let child = Child::of(&configuration(config, authorities))?;
    let live = child.live(client).await?;
    Ok(child.ensure(client, live.as_ref()).await?)
}

fn configuration(config: &Config, authorities: &str) -> ValidatingWebhookConfiguration {
    let client_config = WebhookClientConfig {
        ca_bundle: Some(ByteString(authorities.as_bytes().to_vec())),
        service: Some(ServiceReference {
            name: config.webhook.service.clone(),
            namespace: config.operator_namespace.clone(),
            path: Some(PATH.to_owned()),
            port: Some(443),
        }),
        url: None,
    };
    let labels = [(names::MANAGED_BY.to_owned(), names::OPERATOR.to_owned())].into();
    ValidatingWebhookConfiguration {
        metadata: ObjectMeta { name: Some(names::OPERATOR.to_owned()), labels: Some(labels), ..ObjectMeta::default() },
        webhooks: Some(vec![
            webhook::<ChainSpec>("Fail", "Namespaced", &client_config),
            webhook::<TenantSpec>("Ignore", "Cluster", &client_config),
            webhook::<ApplicationSpec>("Ignore", "Namespaced", &client_config),
        ]),
    }
}

/// Status and other subresources are not sent: the operator's own reports never wait for itself.
fn webhook<S: Kind>(failure_policy: &str, scope: &str, client_config: &WebhookClientConfig) -> ValidatingWebhook {
    ValidatingWebhook {
        name: format!("{}.{GROUP}", S::PLURAL),
        admission_review_versions: vec!["v1".to_owned()],
        client_config: client_config.clone(),
        failure_policy: Some(failure_policy.to_owned()),
        match_policy: Some("Equivalent".to_owned()),
        rules: Some(vec![RuleWithOperations {
            api_groups: Some(vec![GROUP.to_owned()]),
            api_versions: Some(vec![VERSION.to_owned()]),
            operations: Some(["CREATE", "UPDATE", "DELETE"].map(str::to_owned).into()),
            resources: Some(vec![S::PLURAL.to_owned()]),
            scope: Some(scope.to_owned()),
        }]),
        side_effects: "None".to_owned(),
        timeout_seconds: Some(TIMEOUT_S),
        ..ValidatingWebhook::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::tests::FILE, mock::ApiServer};

    #[tokio::test]
    async fn chains_fail_closed_the_rest_open_and_a_second_time_nothing_is_written() {
        let server = ApiServer::default();
        let config = Config::parse(FILE).unwrap();
        assert_eq!(ensure(&server.client(), &config, "authority").await.unwrap(), Change::Created);
        let path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/citychain-operator";
        let stored = server.get(path).unwrap();
        let policies: Vec<_> = stored["webhooks"].as_array().unwrap().iter().map(|one| &one["failurePolicy"]).collect();
        assert_eq!(policies, ["Fail", "Ignore", "Ignore"]);
        assert_eq!(ensure(&server.client(), &config, "authority").await.unwrap(), Change::None);
        assert_eq!(ensure(&server.client(), &config, "another").await.unwrap(), Change::Mended);
    }
}
