"use strict";
// The page works without this: links open messages, and the figures of a time line are the titles of its parts.
(() => {
  const wide = matchMedia("(min-width: 60rem)");
  for (const part of document.querySelectorAll(".exchange")) {
    const messages = part.querySelector(".messages");
    const links = [...part.querySelectorAll("a[href^='#']")];
    const show = (link) => {
      const message = document.getElementById(link.getAttribute("href").slice(1));
      if (!message || !messages.contains(message)) return false;
      messages.classList.add("live");
      for (const other of messages.children) other.classList.toggle("shown", other === message);
      for (const other of links) other.classList.toggle("shown", other === link);
      messages.scrollTop = 0;
      return true;
    };
    part.addEventListener("click", (event) => {
      const link = event.target.closest("a");
      if (link && links.includes(link) && show(link) && wide.matches) event.preventDefault();
    });
    part.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      const next = step && links[links.indexOf(event.target.closest("a")) + step];
      if (!next) return;
      event.preventDefault();
      next.focus();
      show(next);
    });
  }
  for (const chart of document.querySelectorAll(".chart")) {
    const output = chart.querySelector("output");
    let last = null;
    chart.addEventListener("pointerover", (event) => {
      const hit = event.target.closest(".hit");
      if (!hit || !output) return;
      last?.classList.remove("shown");
      hit.classList.add("shown");
      output.textContent = hit.querySelector("title").textContent;
      last = hit;
    });
  }
})();
