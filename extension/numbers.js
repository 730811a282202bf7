// Numbers on the pages of a CRM become links: a click hands them to the page of calls, which dials. Nothing is sent
// anywhere before somebody clicks, and nothing of the page is read but its numbers.
"use strict";

(async () => {
  // The page of calls has links of its own, and is drawn by a program that must find its texts again.
  const {engine} = await chrome.storage.local.get({engine: ""});
  if (location.origin === engine) return;

  // International, or with a zero in front: what else is a number, nobody knows. No date, no time, no part of a word.
  const NUMBER = /(?<![\w.,:/-])(?:\+|00)[1-9](?:[ \u00a0./()-]{0,2}\d){6,13}(?![\w:])|(?<![\w.,:/-])0[1-9]\d{1,4}[ \u00a0/-](?:\d[ \u00a0-]?){4,9}\d(?![\w.:/-])/g;
  const LEFT_ALONE = "a, button, input, textarea, select, script, style, code, pre, [contenteditable=''], [contenteditable='true']";
  const MADE = "routing-engine-number";

  const digits = (text) => text.replace(/\(0\)/, "").replace(/[^\d+]/g, "").replace(/^00/, "+");

  function link(text) {
    const made = document.createElement("a");
    made.className = MADE;
    made.href = `tel:${digits(text)}`;
    made.textContent = text;
    return made;
  }

  function replaceIn(node) {
    const text = node.nodeValue;
    if (!text || text.length < 7 || text.length > 2000 || node.parentElement?.closest(LEFT_ALONE)) return;
    const found = [...text.matchAll(NUMBER)];
    if (!found.length) return;
    const pieces = document.createDocumentFragment();
    let end = 0;
    for (const one of found) {
      pieces.append(text.slice(end, one.index), link(one[0]));
      end = one.index + one[0].length;
    }
    pieces.append(text.slice(end));
    node.replaceWith(pieces);
  }

  function look(top) {
    if (top.nodeType === Node.TEXT_NODE) return replaceIn(top);
    if (top.nodeType !== Node.ELEMENT_NODE || top.closest(LEFT_ALONE)) return;
    const walker = document.createTreeWalker(top, NodeFilter.SHOW_TEXT);
    // First all of them: replacing moves the walker.
    const texts = [];
    while (walker.nextNode()) texts.push(walker.currentNode);
    texts.forEach(replaceIn);
  }

  // In the capture phase, as many a CRM has plans of its own for tel: links.
  addEventListener("click", (event) => {
    const clicked = event.target instanceof Element ? event.target.closest("a[href^='tel:']") : null;
    // Only a click of a person: a page must not make a telephone dial.
    if (!clicked || !event.isTrusted || event.button !== 0) return;
    event.preventDefault();
    event.stopPropagation();
    chrome.runtime.sendMessage({dial: decodeURIComponent(clicked.getAttribute("href").slice(4))});
  }, true);

  look(document.body);
  // A CRM writes its pages while they are looked at.
  new MutationObserver((changes) => {
    for (const change of changes) change.addedNodes.forEach(look);
  }).observe(document.body, {childList: true, subtree: true});
})();
