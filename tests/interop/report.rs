//! Reports in a browser: wide and narrow, light and dark, each is readable, fits, and neither fails nor asks anybody
//! for anything.

use crate::harness::{A_CALL, SOON, Scratch, VISAVIS, Visavis, alone, need};
use serde_json::Value;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Widths of the browser's window, pixels.
const WIDTHS: [u32; 2] = [1280, 400];
/// A browser that has not answered by then never will.
const BROWSER: Duration = Duration::from_secs(90);

/// The page around the pages: shows each in a frame of each width and reports on it as JSON.
const PROBE: &str = r##"<!doctype html><meta charset="utf-8"><meta name="color-scheme" content="light dark">
<title>probe</title><body><pre id="result">nothing yet</pre><script>
const files = FILES, widths = WIDTHS, found = [];
const luminance = (color) => {
  const [r, g, b] = color.match(/[\d.]+/g).map(Number).map((v) => {
    v /= 255;
    return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const probe = (frame, file, width) => {
  const page = frame.contentWindow, root = page.document.documentElement;
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const color = page.getComputedStyle(element).backgroundColor;
      if (!/, 0\)$/.test(color)) return color;
    }
    return "rgb(255, 255, 255)";
  };
  let contrast = 99, poorest = "";
  for (const element of page.document.querySelectorAll("h1, h2, p, dt, dd, td, th, li, a, pre, .badge, .unknown, .note, figcaption, .unit, output")) {
    if (!element.getClientRects().length || element.closest("svg")) continue;
    const [one, other] = [page.getComputedStyle(element).color, behind(element)].map(luminance);
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (ratio < contrast) [contrast, poorest] = [ratio, element.outerHTML.slice(0, 200)];
  }
  const clipped = [];
  for (const text of page.document.querySelectorAll(".ladder text")) {
    const [inner, outer] = [text.getBoundingClientRect(), text.ownerSVGElement.getBoundingClientRect()];
    if (inner.left < outer.left - 1 || inner.right > outer.right + 1) clipped.push(text.textContent);
  }
  const links = [...page.document.querySelectorAll(".ladder a")];
  const last = links.at(-1);
  if (last) last.dispatchEvent(new page.MouseEvent("click", { bubbles: true, cancelable: true }));
  const shown = [...page.document.querySelectorAll(".message")].filter((m) => m.getClientRects().length).map((m) => m.id);
  const dead = [...page.document.querySelectorAll("a[href^='#']")].filter((a) => !page.document.getElementById(a.getAttribute("href").slice(1))).length;
  const hit = page.document.querySelector(".hit"), output = page.document.querySelector(".chart output");
  if (hit) hit.dispatchEvent(new page.PointerEvent("pointerover", { bubbles: true }));
  return {
    file, width, inner: page.innerWidth, scroll: root.scrollWidth, contrast, poorest, clipped, shown, dead,
    chosen: last ? last.getAttribute("href").slice(1) : null, hit: hit ? output.textContent : null,
    background: page.getComputedStyle(page.document.body).backgroundColor,
    resources: [
      ...page.performance.getEntriesByType("resource").map((r) => r.name),
      ...[...page.document.querySelectorAll("[src], link[href], object[data]")].map((e) => e.src || e.href || e.data),
    ].filter((name) => !name.startsWith("data:")),
    broken: [...page.document.images].filter((i) => !i.naturalWidth).length,
    images: page.document.images.length,
  };
};
const frames = [];
for (const file of files) for (const width of widths) {
  const frame = document.createElement("iframe");
  Object.assign(frame, { src: file, width, height: 900 });
  frame.style.border = "0";
  document.body.append(frame);
  frames.push([frame, file, width]);
}
addEventListener("load", () => {
  const found = frames.map(([frame, file, width]) => {
    try { return probe(frame, file, width); } catch (error) { return { file, width, error: String(error) }; }
  });
  document.getElementById("result").textContent = JSON.stringify(found);
});
</script>"##;

/// What a browser made of some pages.
struct Seen {
    pages: Vec<Value>,
    /// What it wrote to its console about scripts, policies and resources.
    console: Vec<String>,
}

/// Shows pages below `scratch` to a browser that prefers dark or light.
fn browse(scratch: &Scratch, files: &[&str], dark: bool) -> Seen {
    need("chromium", "chromium");
    let list = serde_json::to_string(files).expect("JSON");
    let probe = PROBE.replace("FILES", &list).replace("WIDTHS", &format!("{WIDTHS:?}"));
    let probe = scratch.write(if dark { "probe-dark.html" } else { "probe-light.html" }, &probe);
    let profile = scratch.file(if dark { "profile-dark" } else { "profile-light" });
    let mut child = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--disable-dev-shm-usage", "--allow-file-access-from-files", "--enable-logging=stderr"])
        .arg(format!("--blink-settings=preferredColorScheme={}", i32::from(!dark)))
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(["--window-size=1400,1000", "--virtual-time-budget=10000", "--dump-dom"])
        .arg(format!("file://{}", probe.display()))
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(scratch.file("dom")).expect("a file"))
        .stderr(std::fs::File::create(scratch.file("console")).expect("a file"))
        .spawn()
        .expect("chromium runs");
    let deadline = Instant::now() + BROWSER;
    while child.try_wait().expect("the browser can be waited for").is_none() {
        if Instant::now() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            panic!("chromium does not end");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let read = |name: &str| {
        String::from_utf8_lossy(&std::fs::read(scratch.file(name)).expect("a file")).into_owned()
    };
    let (dom, console) = (read("dom"), read("console"));
    let result = dom.split("<pre id=\"result\">").nth(1).and_then(|rest| rest.split("</pre>").next());
    let result = result.unwrap_or_else(|| panic!("no result in {dom}\n{console}"));
    let plain = result.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    let pages = serde_json::from_str(&plain).unwrap_or_else(|e| panic!("{e}: {plain}\n{console}"));
    let console = console.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned).collect();
    Seen { pages, console }
}

/// What is wrong with a page, in words.
fn faults(page: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let mut hold = |holds: bool, what: &str| {
        if !holds {
            faults.push(what.to_owned());
        }
    };
    hold(page["error"].is_null(), "the probe failed");
    hold(page["inner"] == page["width"], "the frame has another width");
    hold(page["scroll"].as_u64() <= page["inner"].as_u64(), "it is wider than the window");
    hold(page["contrast"].as_f64().is_some_and(|ratio| ratio >= 4.5), "its text is too pale");
    hold(page["clipped"].as_array().is_some_and(Vec::is_empty), "words of the ladder are cut off");
    hold(page["resources"].as_array().is_some_and(Vec::is_empty), "it loads something from elsewhere");
    hold(page["broken"] == 0, "a picture is broken");
    hold(page["dead"] == 0, "a link leads nowhere");
    let shown = page["shown"].as_array().map(Vec::as_slice).unwrap_or_default();
    let chosen = &page["chosen"];
    hold(
        if chosen.is_null() { shown.is_empty() } else { shown == [chosen.clone()] },
        "another message is shown",
    );
    faults
}

/// Shows pages in all ways and holds each to everything above.
fn assert_fine(scratch: &Scratch, files: &[&str]) -> Vec<Value> {
    let mut all = Vec::new();
    for dark in [false, true] {
        let seen = browse(scratch, files, dark);
        assert_eq!(seen.pages.len(), files.len() * WIDTHS.len());
        for page in &seen.pages {
            assert!(faults(page).is_empty(), "{:?} (dark: {dark}): {page:#}", faults(page));
        }
        assert!(seen.console.is_empty(), "{:#?}", seen.console);
        all.extend(seen.pages);
    }
    let background = |page: &Value| page["background"].as_str().expect("a colour").to_owned();
    let (light, dark) = all.split_at(all.len() / 2);
    assert!(
        light.iter().zip(dark).all(|(a, b)| background(a) != background(b)),
        "light and dark are the same"
    );
    all
}

/// How good the call is depends on what else the machine does: here it is enough that it was held.
fn demo(scratch: &Scratch, name: &str, more: &[&str]) {
    let out = scratch.file(&format!("{name}-out"));
    let mut command = Command::new(VISAVIS);
    command.args(["demo", "--duration", "3s", "--out"]).arg(out).arg("--report").arg(scratch.file(name));
    let ran = command.args(more).output().expect("visavis runs");
    assert!(matches!(ran.status.code(), Some(0 | 1)), "{name}: {ran:?}");
}

#[test]
fn reports_on_calls_of_our_own_are_fine_in_a_browser() {
    let _alone = alone();
    let scratch = Scratch::new();
    demo(&scratch, "good", &[]);
    demo(&scratch, "no-video", &["--drop-video"]);
    demo(&scratch, "as-in-2010", &["--profile", "facetime2010"]);
    let capture = scratch.file("good-out/call.pcapng");
    let mut inspect = Command::new(VISAVIS);
    inspect.arg("inspect").arg(capture).arg("--report").arg(scratch.file("bare"));
    assert!(inspect.output().expect("visavis runs").status.success());
    let pages = ["good/report.html", "no-video/report.html", "as-in-2010/report.html", "bare/report.html"];
    let seen = assert_fine(&scratch, &pages);
    let of = |file: &'static str| seen.iter().filter(move |page| page["file"] == file);
    assert!(of(pages[0]).all(|page| page["images"].as_u64() > Some(1)), "the good call has pictures");
    assert!(of(pages[0]).all(|page| page["hit"].as_str().is_some_and(|t| t.contains("kbit/s"))), "{seen:#?}");
    assert!(of(pages[3]).all(|page| page["images"] == 0), "a bare capture has none");
    assert!(of(pages[1]).all(|page| page["images"].as_u64() > Some(0)), "one way has pictures");
}

#[test]
fn reports_on_a_refused_call_and_an_index_are_fine_in_a_browser() {
    let _alone = alone();
    let scratch = Scratch::new();
    let dirs = ["declined", "refused"].map(|name| scratch.file(name).display().to_string());
    let fixed = ["answer", "--listen", "127.0.0.51:0", "--max-calls", "1", "--decline", "486"];
    let mut callee = Visavis::start(&[&fixed[..], &["--report", &dirs[0]]].concat());
    let uri = format!("sip:callee@{}", callee.address());
    let mut caller = Visavis::start(&["call", &uri, "--listen", "127.0.0.52:0", "--report", &dirs[1]]);
    assert_eq!(caller.finish(A_CALL).verdict["good"], false);
    callee.finish(SOON);
    let pages = ["refused/report.html", "declined/index.html", "declined/call-1/report.html"];
    let seen = assert_fine(&scratch, &pages);
    assert_eq!(seen[0]["chosen"], "m2", "INVITE, 486, ACK");
}

#[test]
fn the_browser_finds_what_is_wrong_with_a_page() {
    let _alone = alone();
    let scratch = Scratch::new();
    let policy = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'\">";
    scratch.write("outside.html", "<!doctype html><body style='background:#fff'><img src=nowhere.png>");
    scratch.write("wide.html", "<!doctype html><p style='width:2000px;color:#999'>wide and pale");
    scratch.write("policy.html", &format!("<!doctype html>{policy}<script>1</script><p>text"));
    scratch.write("script.html", "<!doctype html><p>text<script>nothing()</script>");
    scratch.write(
        "ladder.html",
        "<!doctype html><div class=ladder><svg width=90><text x=60 y=9>cut off</text></svg></div><a href=#none>x</a>",
    );
    let seen =
        browse(&scratch, &["outside.html", "wide.html", "policy.html", "script.html", "ladder.html"], false);
    let of = |file: &str| {
        let found = seen.pages.iter().find(|page| page["file"] == file).map(faults);
        found.unwrap_or_default().join("; ")
    };
    assert_eq!(of("outside.html"), "it loads something from elsewhere; a picture is broken");
    assert_eq!(of("wide.html"), "it is wider than the window; its text is too pale");
    assert!(of("ladder.html").contains("words of the ladder are cut off; a link leads nowhere"));
    let console = seen.console.join("\n");
    assert!(console.contains("nothing is not defined"), "{console}");
    assert!(console.contains("Content Security Policy"), "{console}");
}
