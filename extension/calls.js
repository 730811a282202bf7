// Beside the page of calls: opens the record of who is calling when the person's telephone rings. It hears what the page
// hears, with the person's own session, and knows no password or token.
"use strict";

(async () => {
  const {records} = await chrome.storage.local.get({records: "never"});
  if (records === "never") return;
  const answer = await fetch("/v1/me", {headers: {Accept: "application/json"}});
  if (!answer.ok) return; // nobody is logged in: the page is loaded anew after that
  const me = (await answer.json()).user.key;
  const opened = new Set();

  function take(event) {
    const call = JSON.parse(event.data);
    const leg = call.legs.find((one) => one.user === me && one.left_at === null);
    const wanted = records === "answered" ? leg?.answered_at : leg;
    const url = call.contact?.url ?? "";
    if (call.direction !== "inbound" || call.state === "ended" || !wanted || opened.has(call.id)) return;
    if (!/^https?:\/\//.test(url)) return; // not known yet, or no page
    opened.add(call.id);
    chrome.runtime.sendMessage({open: url, call: call.id});
  }

  const stream = new EventSource("/v1/stream");
  for (const kind of ["call.started", "call.ringing", "call.answered", "call.transferred", "call.updated"]) {
    stream.addEventListener(kind, take);
  }
  addEventListener("pagehide", () => stream.close());
})();
