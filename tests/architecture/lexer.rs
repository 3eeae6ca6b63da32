//! As much of a lexer for Rust as it takes to find the paths that a source names.

pub(super) fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|character: char| !is_word(character)).filter(|word| !word.is_empty())
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Every path in the code with its braces expanded (`use a::{b, c::d}` gives `a::b` and `a::c::d`), and with `super::`
/// written as `crate::` where it climbs to the top. Outside of `use`, a single word is a local name and left out.
pub(super) fn named_paths(code: &str, depth: usize) -> Vec<String> {
    let tokens = tokens(code);
    let mut paths = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let in_use = at > 0 && tokens[at - 1] == "use";
        let starts = tokens[at].starts_with(is_word) && (at == 0 || tokens[at - 1] != "::");
        if in_use || (starts && tokens.get(at + 1) == Some(&"::")) {
            at = expand(&tokens, at, "", &mut paths).max(at + 1);
        } else {
            at += 1;
        }
    }
    for path in &mut paths {
        let climbs = path.split("::").take_while(|segment| *segment == "super").count();
        if climbs > 0 && climbs == depth {
            *path = format!("crate::{}", path.split("::").skip(climbs).collect::<Vec<_>>().join("::"));
        }
    }
    paths
}

/// Reads one use tree or path that begins at `at`; returns where it ends.
fn expand(tokens: &[&str], mut at: usize, prefix: &str, paths: &mut Vec<String>) -> usize {
    let mut path = prefix.to_owned();
    loop {
        match tokens.get(at) {
            Some(&"{") => {
                at += 1;
                while at < tokens.len() && tokens[at] != "}" {
                    if tokens[at] == "," {
                        at += 1;
                    } else {
                        at = expand(tokens, at, &path, paths).max(at + 1);
                    }
                }
                return at + 1;
            }
            Some(token) if token.starts_with(is_word) || *token == "*" => {
                if !path.is_empty() {
                    path.push_str("::");
                }
                path.push_str(token);
                at += 1;
            }
            _ => break,
        }
        if tokens.get(at) == Some(&"::") && tokens.get(at + 1).is_some_and(|next| *next != "<") {
            at += 1;
        } else {
            break;
        }
    }
    if tokens.get(at) == Some(&"as") {
        at += 2;
    }
    if !path.is_empty() {
        paths.push(path);
    }
    at
}

/// Words, `::` and single punctuation marks.
fn tokens(code: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if is_word(first) {
            rest.find(|character| !is_word(character)).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        let (token, after) = rest.split_at(length);
        tokens.push(token);
        rest = after.trim_start();
    }
    tokens
}

/// Blanks out comments, strings (plain, raw, byte) and character literals, keeping line breaks.
pub(super) fn without_comments_and_literals(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    let mut previous = ' ';
    while let Some(first) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(length) = (!is_word(previous)).then(|| raw_string(rest)).flatten() {
            length
        } else if first == '"' {
            quoted(rest, '"')
        } else if first == '\'' {
            character(rest)
        } else {
            0
        };
        if skipped == 0 {
            code.push(first);
            previous = first;
            rest = &rest[first.len_utf8()..];
        } else {
            code.push(' ');
            code.extend(rest[..skipped].chars().filter(|character| *character == '\n'));
            previous = ' ';
            rest = &rest[skipped..];
        }
    }
    code
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

/// The length of a raw string (`r"…"`, `r#"…"#`, `br"…"`) at the start, if there is one.
fn raw_string(rest: &str) -> Option<usize> {
    let marked = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'))?;
    let hashes = marked.len() - marked.trim_start_matches('#').len();
    let body = marked[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = body.find(&end).map_or(body.len(), |at| at + end.len());
    Some(rest.len() - body.len() + length)
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if character == '\\' {
            escaped = true;
        } else if character == quote {
            return at + quote.len_utf8();
        }
    }
    rest.len()
}

/// The length of a character literal at the start; 0 for a lifetime.
fn character(rest: &str) -> usize {
    let mut characters = rest.char_indices().skip(1);
    match (characters.next(), characters.next()) {
        (Some((_, '\\')), _) => quoted(rest, '\''),
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 0,
    }
}
