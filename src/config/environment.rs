//! What the environment would give away to whoever reads it. Names are told, values never.

/// What follows these belongs to a cloud.
const CLOUDS: [&str; 3] = ["AWS_", "AZURE_", "GOOGLE_"];
/// What gives nothing away, although it looks as if: where and how, not who.
const HARMLESS: [&str; 12] = [
    "AWS_CA_BUNDLE",
    "AWS_DEFAULT_OUTPUT",
    "AWS_DEFAULT_REGION",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_MAX_ATTEMPTS",
    "AWS_PAGER",
    "AWS_REGION",
    "AWS_RETRY_MODE",
    "AZURE_CLOUD_NAME",
    "AZURE_CORE_OUTPUT",
    "GOOGLE_CLOUD_REGION",
    "GOOGLE_CLOUD_ZONE",
];
/// A variable whose name is one of these, or ends in one after `_`, is a key by its name.
const WORDS: [&str; 12] = [
    "ACCESS_KEY",
    "APIKEY",
    "API_KEY",
    "API_TOKEN",
    "CREDENTIALS",
    "PASSPHRASE",
    "PASSWORD",
    "PRIVATE_KEY",
    "SECRET",
    "SECRET_KEY",
    "SECRETS",
    "TOKEN",
];
/// What is a key, or leads to one, and follows no rule.
const OTHERS: [&str; 3] = ["DOCKER_AUTH_CONFIG", "KUBECONFIG", "SSH_AUTH_SOCK"];
/// Where clients of container engines find theirs.
const ENGINES: [&str; 3] = ["DOCKER_HOST", "CONTAINER_HOST", "CONTAINERD_ADDRESS"];

/// A container engine that a variable names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedEngine {
    /// The variable.
    pub variable: &'static str,
    /// Its socket, where it is one of this machine.
    pub socket: Option<String>,
}

/// The names of variables that are keys by their names and are not empty, sorted.
pub fn names_of_keys() -> Vec<String> {
    let filled = std::env::vars_os().filter(|(_, value)| !value.is_empty());
    let mut names: Vec<String> =
        filled.map(|(name, _)| name.to_string_lossy().into_owned()).filter(|name| is_key(name)).collect();
    names.sort();
    names
}

/// The container engines that the environment names.
pub fn named_engines() -> Vec<NamedEngine> {
    let value = |variable| std::env::var(variable).ok().filter(|value| !value.is_empty());
    ENGINES
        .into_iter()
        .filter_map(|variable| Some(NamedEngine { variable, socket: socket_of(&value(variable)?) }))
        .collect()
}

fn is_key(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let ends_in =
        |word: &&str| name.strip_suffix(*word).is_some_and(|before| before.is_empty() || before.ends_with('_'));
    !HARMLESS.contains(&name.as_str())
        && (CLOUDS.iter().any(|cloud| name.starts_with(cloud))
            || OTHERS.contains(&name.as_str())
            || WORDS.iter().any(ends_in))
}

fn socket_of(value: &str) -> Option<String> {
    let path = value.strip_prefix("unix://").unwrap_or(value);
    path.starts_with('/').then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_known_by_their_names() {
        for name in [
            "AWS_ACCESS_KEY_ID",
            "AWS_SESSION_TOKEN",
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "GOOGLE_APPLICATION_CREDENTIALS",
            "AZURE_CLIENT_SECRET",
            "ANTHROPIC_API_KEY",
            "GITHUB_TOKEN",
            "STRIPE_SECRET",
            "DJANGO_SECRET_KEY",
            "PASSWORD",
            "db_password",
            "KUBECONFIG",
            "SSH_AUTH_SOCK",
        ] {
            assert!(is_key(name), "{name}");
        }
        for name in [
            "PATH",
            "HOME",
            "AWS_REGION",
            "AWS_CA_BUNDLE",
            "DESKHAND_TOKEN_FILE",
            "DESKHAND_TOKEN_SHA256",
            "DESKHAND_TOKENS",
            "DESKHAND_SECRETS_FD",
            "DESKHAND_AUDIT_KEY",
            "XAUTHORITY",
            "NOTATOKEN",
            "TOKENIZERS_PARALLELISM",
        ] {
            assert!(!is_key(name), "{name}");
        }
    }

    #[test]
    fn an_engine_of_this_machine_has_a_socket() {
        assert_eq!(socket_of("unix:///run/docker.sock").as_deref(), Some("/run/docker.sock"));
        assert_eq!(socket_of("/run/containerd/containerd.sock").as_deref(), Some("/run/containerd/containerd.sock"));
        assert_eq!(socket_of("tcp://10.0.0.1:2375"), None);
        assert_eq!(socket_of("ssh://me@host"), None);
    }
}
