/** The telephone in the page: whether it is ready, and its keys while it rings or somebody talks. */
import { useEffect, useState } from "preact/hooks";

import { useChanges, useDesk } from "./desk";
import { t, type TextKey } from "./texts";

const KEYS = "123456789*0#";
const LINES: Record<string, TextKey> = {
  starting: "phone_starting",
  ready: "phone_ready",
  down: "phone_down",
  failed: "phone_failed",
};

export function PhoneBar() {
  const { me, phone } = useDesk();
  useChanges(phone);
  const [keypad, setKeypad] = useState(false);
  useEffect(() => phone.begin(me), []);
  const { line, rings, talks, muted, held } = phone.state;
  if (line === "off" || !me.phone_in_page) return null;
  return (
    <section class={`phone ${line}`} aria-label={t("phone")}>
      <p role="status">
        <span class="lamp" />
        {t("phone")}: {rings !== null ? t("rings_here", rings || t("withheld")) : t(LINES[line] ?? "phone_starting")}
        {line === "ready" && !phone.here && <span class="soft"> · {t("phone_other_tab")}</span>}
      </p>
      <div class="buttons">
        {rings !== null && (
          <>
            <button class="main" onClick={() => phone.tell({ is: "answer" })}>
              {t("answer")}
            </button>
            <button class="end" onClick={() => phone.tell({ is: "hangUp" })}>
              {t("decline")}
            </button>
          </>
        )}
        {talks && (
          <>
            <button aria-pressed={muted} onClick={() => phone.tell({ is: "mute" })}>
              {t(muted ? "unmute" : "mute")}
            </button>
            <button aria-pressed={held} onClick={() => phone.tell({ is: "hold" })}>
              {t(held ? "resume" : "hold")}
            </button>
            <button aria-expanded={keypad} onClick={() => setKeypad(!keypad)}>
              {t("keypad")}
            </button>
            <button class="end" onClick={() => phone.tell({ is: "hangUp" })}>
              {t("hang_up")}
            </button>
          </>
        )}
      </div>
      {talks && keypad && (
        <div class="keypad" role="group" aria-label={t("keypad")}>
          {[...KEYS].map((digit) => (
            <button key={digit} onClick={() => phone.tell({ is: "keypad", digit })}>
              {digit}
            </button>
          ))}
        </div>
      )}
    </section>
  );
}
