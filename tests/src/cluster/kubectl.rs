//! `kubectl`, as a person uses it: the suite has no other way into the cluster.

use std::process::Stdio;

use anyhow::{Context, bail};
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Runs it with `input`; the error is what it said.
pub async fn kubectl(arguments: &[&str], input: Option<&str>) -> anyhow::Result<String> {
    let mut child = Command::new("kubectl")
        .args(arguments)
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("kubectl cannot be run: see .make/e2e")?;
    if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
        stdin.write_all(input.as_bytes()).await?;
    }
    let output = child.wait_with_output().await?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8(output.stdout)?)
}

pub async fn apply(document: &Value) -> anyhow::Result<()> {
    kubectl(&["apply", "-f", "-"], Some(&document.to_string())).await.map(drop)
}

/// `None` if it is not there.
pub async fn get(namespace: &str, kind: &str, name: &str) -> anyhow::Result<Option<Value>> {
    let text = kubectl(&["get", kind, name, "-n", namespace, "-o", "json", "--ignore-not-found"], None).await?;
    if text.trim().is_empty() { Ok(None) } else { Ok(Some(serde_json::from_str(&text)?)) }
}

/// All of a kind with these labels.
pub async fn list(namespace: &str, kind: &str, labels: &str) -> anyhow::Result<Vec<Value>> {
    let text = kubectl(&["get", kind, "-n", namespace, "-l", labels, "-o", "json"], None).await?;
    let list: Value = serde_json::from_str(&text)?;
    Ok(list["items"].as_array().cloned().unwrap_or_default())
}

/// A merge patch.
pub async fn patch(namespace: &str, kind: &str, name: &str, patch: &Value) -> anyhow::Result<()> {
    kubectl(&["patch", kind, name, "-n", namespace, "--type=merge", "-p", &patch.to_string()], None).await.map(drop)
}

/// Without waiting for it to be gone.
pub async fn delete(namespace: &str, kind: &str, name: &str) -> anyhow::Result<()> {
    kubectl(&["delete", kind, name, "-n", namespace, "--wait=false"], None).await.map(drop)
}

/// The status of a condition.
pub fn condition(object: &Value, kind: &str) -> Option<String> {
    let conditions = object["status"]["conditions"].as_array()?;
    let found = conditions.iter().find(|condition| condition["type"] == kind)?;
    found["status"].as_str().map(str::to_owned)
}
