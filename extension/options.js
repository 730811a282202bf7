// The settings: the engine's address, and the sites whose numbers become links.
"use strict";

const form = document.getElementById("form");
const engine = document.getElementById("engine");
const sites = document.getElementById("sites");
const records = document.getElementById("records");
const said = document.getElementById("said");

// https://crm.example.com/any/page is the site https://crm.example.com
function pattern(line) {
  const url = new URL(line);
  if (!["https:", "http:"].includes(url.protocol)) throw new Error(line);
  return `${url.protocol}//${url.hostname}/*`;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  let wanted;
  try {
    wanted = sites.value.split("\n").map((line) => line.trim()).filter(Boolean).map(pattern);
  } catch (error) {
    said.textContent = `This is no address: ${error.message}`;
    return;
  }
  const origins = [...wanted, pattern(engine.value)];
  // Here, because a browser asks only after a click.
  if (!(await chrome.permissions.request({origins}))) {
    said.textContent = "Not saved: the sites were not allowed.";
    return;
  }
  await chrome.storage.local.set({engine: new URL(engine.value).origin, sites: wanted, records: records.value});
  said.textContent = "Saved. Load pages that are open once more.";
});

chrome.storage.local.get({engine: "", sites: [], records: "never"}).then((known) => {
  engine.value = known.engine;
  sites.value = known.sites.map((one) => one.slice(0, -2)).join("\n");
  records.value = known.records;
});
