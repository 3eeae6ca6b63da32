// Reports every DOM event and the page's own state to the origin, in order, by POST /event. A page sets
// `window.pageState` to a function that returns its state. Marked elements (with an id) are reported with their
// rectangles in screen coordinates, so that a controller can be told where to click. A page that sets `window.reportsPauses`
// reports its state alone, when nothing happens.
(() => {
  "use strict";
  const TYPES = [
    "keydown", "keypress", "keyup", "beforeinput", "input", "change", "compositionstart", "compositionupdate",
    "compositionend", "mousedown", "mouseup", "mousemove", "click", "dblclick", "auxclick", "contextmenu", "wheel",
    "scroll", "pointerdown", "pointermove", "pointerup", "pointercancel", "focusin", "focusout", "dragstart", "dragenter",
    "dragover", "dragleave", "drop", "dragend", "submit", "reset", "copy", "cut", "paste", "select",
  ];

  // Where the page's corner is on the screen. The window's sizes give a first guess (borders are even, the rest is the
  // browser's own bar on top); the first mouse event tells it exactly.
  const corner = { x: 0, y: 0, exact: false };
  function guessCorner() {
    if (corner.exact) return;
    const border = (window.outerWidth - window.innerWidth) / 2;
    corner.x = window.screenX + border;
    corner.y = window.screenY + (window.outerHeight - window.innerHeight) - border;
  }
  function learnCorner(event) {
    // A click by the keyboard has no place, nor has the end of a drag that was called off.
    if (!event.isTrusted || !/^(mouse|pointer)(down|up|move)$/.test(event.type)) return;
    corner.x = event.screenX - event.clientX;
    corner.y = event.screenY - event.clientY;
    corner.exact = true;
  }

  let ready = false;

  function rectangles() {
    guessCorner();
    const found = {};
    for (const element of document.querySelectorAll("[id]")) {
      const box = element.getBoundingClientRect();
      if (box.width === 0 || box.height === 0) continue;
      found[element.id] = [corner.x + box.left, corner.y + box.top, box.width, box.height].map(Math.round);
    }
    return found;
  }

  function state() {
    return {
      ...(window.pageState ? window.pageState() : {}),
      ready,
      title: document.title,
      focus: document.activeElement ? document.activeElement.id : "",
      has_focus: document.hasFocus(),
      visible: document.visibilityState,
      page_scroll: [Math.round(window.scrollX), Math.round(window.scrollY)],
      corner,
      rectangles: rectangles(),
    };
  }

  const queue = [];
  let sending = false;
  async function send() {
    if (sending) return;
    sending = true;
    while (queue.length > 0) {
      const events = queue.splice(0);
      try {
        await fetch("/event", { method: "POST", body: JSON.stringify({ events, state: state() }) });
      } catch {
        queue.unshift(...events); // the origin is being restarted or is gone
        await new Promise((resolve) => setTimeout(resolve, 250));
      }
    }
    sending = false;
  }

  let serial = 0;
  let pause;
  function record(event) {
    if (window.reportsPauses) {
      // Only the state, once nothing has come for a moment: long texts take a browser many times as long with every key told.
      clearTimeout(pause);
      pause = setTimeout(() => (queue.push({ serial: serial++, type: "pause" }), send()), 50);
      return;
    }
    const target = event.target;
    const entry = {
      serial: serial++,
      type: event.type,
      time: Math.round((performance.timeOrigin + event.timeStamp) * 1000) / 1000,
      target: target && target.id ? target.id : "",
      trusted: event.isTrusted,
    };
    if (event instanceof MouseEvent) {
      learnCorner(event);
      entry.x = event.screenX;
      entry.y = event.screenY;
      entry.button = event.button;
      entry.buttons = event.buttons;
      entry.detail = event.detail;
    }
    if (event.type === "pointermove") {
      // The page gets one move a frame; this is what it stands for.
      entry.path = event.getCoalescedEvents().map((moved) => [moved.screenX, moved.screenY]);
    }
    if (event instanceof WheelEvent) {
      entry.delta = [event.deltaX, event.deltaY];
      entry.delta_mode = event.deltaMode;
    }
    if (event instanceof KeyboardEvent) {
      entry.key = event.key;
      entry.code = event.code;
      entry.key_code = event.keyCode;
      entry.location = event.location;
      entry.repeat = event.repeat;
    }
    if (event instanceof MouseEvent || event instanceof KeyboardEvent) {
      entry.modifiers = ["Shift", "Control", "Alt", "Meta", "AltGraph", "CapsLock"].filter((name) => event.getModifierState(name));
    }
    if (event instanceof InputEvent) {
      entry.data = event.data;
      entry.input_type = event.inputType;
    }
    queue.push(entry);
    // After the page's own handlers have run, so that the state in the report includes their effect.
    setTimeout(send, 0);
  }

  for (const type of TYPES) {
    document.addEventListener(type, record, { capture: true, passive: true });
  }
  for (const type of ["focus", "blur", "resize"]) {
    window.addEventListener(type, record, { capture: false, passive: true });
  }
  // Chromium drops clicks and keys until the first content has been presented, well after `load`; moves get through. The
  // paint entry comes after the presentation, so from this report on nothing is lost and the rectangles can be used.
  const loaded = new Promise((resolve) => window.addEventListener("load", resolve));
  const painted = new Promise((resolve) => {
    new PerformanceObserver((list) => {
      if (list.getEntriesByName("first-contentful-paint").length > 0) resolve();
    }).observe({ type: "paint", buffered: true });
  });
  Promise.all([loaded, painted]).then(() => {
    ready = true;
    record({ type: "ready", target: null, timeStamp: performance.now(), isTrusted: false });
  });
})();
