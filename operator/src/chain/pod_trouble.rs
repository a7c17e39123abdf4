//! Why a pod does not run as it should, in the words of whoever keeps it from running, each with what to do. Pure.

use operator_api::Text;

use super::{
    facts::{Container, PodFacts},
    observe::exit_advice,
};

/// A pod that is prepared for longer than this gets a sentence even if nobody gives a reason.
const PREPARED_FOR_MS: u64 = 30_000;

/// `None` if nothing is wrong that can be seen on the pod.
pub fn of(pod: &PodFacts, now_ms: u64) -> Option<Text> {
    if let Some(reason) = &pod.failed {
        return Some(text("其 Pod 已失败，集群会重新创建", "its pod failed and the cluster makes another", reason));
    }
    match &pod.container {
        Container::Running { .. } => None,
        Container::Ended => pod.ended.as_ref().and_then(exit_advice),
        Container::Waiting { reason, message } => match reason.as_str() {
            "CrashLoopBackOff" => pod.ended.as_ref().and_then(exit_advice),
            "ErrImagePull" | "ImagePullBackOff" | "ErrImageNeverPull" | "InvalidImageName" => Some(text(
                "拉取镜像失败；请检查该版本的镜像地址与仓库凭据，或改回可用的版本",
                "its image cannot be pulled: check the image of this version and the registry's credentials, or go back to a version that is there",
                message,
            )),
            "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => Some(text(
                "容器无法创建；请检查其 Secret 与 ConfigMap",
                "its container cannot be made: check its Secret and ConfigMap",
                message,
            )),
            _ => unscheduled(pod).or_else(|| slow(pod, now_ms)),
        },
        Container::None => unscheduled(pod).or_else(|| slow(pod, now_ms)),
    }
}

fn unscheduled(pod: &PodFacts) -> Option<Text> {
    let message = pod.unscheduled.as_ref()?;
    Some(text(
        "没有机器可以运行它；请腾出资源、增加机器或降低 resources.memoryMib",
        "no machine can take it: free resources, add a machine or lower resources.memoryMib",
        message,
    ))
}

fn slow(pod: &PodFacts, now_ms: u64) -> Option<Text> {
    if now_ms.saturating_sub(pod.made_ms) < PREPARED_FOR_MS {
        return None;
    }
    let machine = pod.machine.as_deref().unwrap_or("-");
    Some(Text::new(
        format!("机器 {machine} 还没有准备好它的卷或镜像；请查看 kubectl describe pod"),
        format!("machine {machine} has not got its volume or image ready; look at kubectl describe pod"),
    ))
}

fn text(zh: &str, en: &str, said: &str) -> Text {
    let said: String = said.chars().filter(|c| !c.is_control()).take(240).collect();
    if said.is_empty() { Text::new(zh, en) } else { Text::new(format!("{zh}：{said}"), format!("{en}: {said}")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::facts::Ended;

    #[test]
    fn each_trouble_says_what_to_do() {
        let waiting = |reason: &str| PodFacts {
            container: Container::Waiting { reason: reason.into(), message: "said by the kubelet".into() },
            ..PodFacts::default()
        };
        let ended = |code, out_of_memory| PodFacts {
            container: Container::Ended,
            ended: Some(Ended { code, at_ms: 0, out_of_memory }),
            ..PodFacts::default()
        };
        let pending = PodFacts { unscheduled: Some("0/4 nodes are available".into()), ..PodFacts::default() };
        let evicted = PodFacts { failed: Some("Evicted".into()), ..PodFacts::default() };
        for (pod, said) in [
            (waiting("ImagePullBackOff"), Some("go back to a version that is there: said by the kubelet")),
            (waiting("CreateContainerConfigError"), Some("check its Secret and ConfigMap")),
            (pending, Some("lower resources.memoryMib: 0/4 nodes are available")),
            (evicted, Some("the cluster makes another: Evicted")),
            (ended(137, true), Some("raise resources.memoryMib")),
            (ended(20, false), Some("raise resources.storageGib")),
            (ended(1, false), None),
            (PodFacts { container: Container::Running { since_ms: 0 }, ..PodFacts::default() }, None),
            (PodFacts { made_ms: 1_000, ..PodFacts::default() }, None),
        ] {
            let found = of(&pod, 2_000).map(|text| text.en);
            match said {
                Some(said) => {
                    assert!(found.clone().is_some_and(|text| text.ends_with(said) || text.contains(said)), "{found:?}")
                }
                None => assert_eq!(found, None),
            }
        }
        let slow = of(&PodFacts { machine: Some("m1".into()), ..PodFacts::default() }, 31_000).unwrap();
        assert!(slow.en.starts_with("machine m1"), "{slow:?}");
    }
}
