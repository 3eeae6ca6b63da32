//! What is pasted.

/// How long the long text is at least: with its escapes in JSON still below the 256 KiB of a message.
const LONG: usize = 200 * 1024;

/// Printable ASCII with tabs and line ends.
pub fn ascii() -> String {
    let line = |number| format!("{number}\tfn main() {{ println!(\"~!@#$%^&*|\\\\\"); }}\n");
    (0..40).map(line).collect::<Vec<_>>().concat()
}

/// About 200 KiB of many scripts, each line different.
pub fn long() -> String {
    let line = |number| format!("{number}: Grüße, Ελληνικά, Привет, мир; 日本語テスト; 한국어; 😀🚀✅ ½ € “ok”\n");
    let lines = LONG / line(0).len() + 1;
    (0..lines).map(line).collect::<Vec<_>>().concat()
}
