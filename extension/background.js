// Opens the page of calls with a number, and records; puts the scripts on the sites that were allowed.
"use strict";

const SETTINGS = {engine: "", sites: [], records: "never"};

async function register() {
  const {engine, sites} = await chrome.storage.local.get(SETTINGS);
  await chrome.scripting.unregisterContentScripts();
  const scripts = [];
  if (sites.length) scripts.push({id: "numbers", js: ["numbers.js"], matches: sites, allFrames: true, runAt: "document_idle"});
  if (engine) scripts.push({id: "calls", js: ["calls.js"], matches: [`${site(engine)}/*`], runAt: "document_idle"});
  // Only what the person has allowed: anything else would be refused whole.
  const allowed = [];
  for (const one of scripts) if (await chrome.permissions.contains({origins: one.matches})) allowed.push(one);
  if (allowed.length) await chrome.scripting.registerContentScripts(allowed);
}

// A pattern of Chromium's has no port: it holds for all of them.
function site(address) {
  const url = new URL(address);
  return `${url.protocol}//${url.hostname}`;
}

async function dial(number) {
  const {engine} = await chrome.storage.local.get(SETTINGS);
  if (!engine) return chrome.runtime.openOptionsPage();
  // The page asks before it dials; it is opened once, and used again.
  const url = `${engine}/?dial=${encodeURIComponent(number.slice(0, 100))}`;
  const {tab} = await chrome.storage.session.get({tab: null});
  try {
    if (tab === null) throw new Error("none yet");
    const there = await chrome.tabs.update(tab, {url, active: true});
    await chrome.windows.update(there.windowId, {focused: true});
  } catch {
    const made = await chrome.tabs.create({url});
    await chrome.storage.session.set({tab: made.id});
  }
}

// One after the other: two pages of calls that tell of the same call at once are one record.
let turn = Promise.resolve();

function open(url, call) {
  turn = turn.then(() => openOnce(url, call)).catch(() => undefined);
}

async function openOnce(url, call) {
  // Kept beside the worker, which the browser ends whenever it likes.
  const {opened} = await chrome.storage.session.get({opened: []});
  if (opened.includes(call)) return;
  await chrome.storage.session.set({opened: [...opened.slice(-50), call]});
  await chrome.tabs.create({url});
}

chrome.runtime.onMessage.addListener((message, sender) => {
  if (sender.id !== chrome.runtime.id) return;
  if (typeof message.dial === "string" && /^[+\d*#]{2,40}$/.test(message.dial)) dial(message.dial);
  if (typeof message.open === "string" && /^https?:\/\//.test(message.open)) open(message.open, String(message.call));
});
chrome.runtime.onInstalled.addListener(register);
chrome.runtime.onStartup.addListener(register);
chrome.storage.local.onChanged.addListener(register);
