/** What is wrong with the page's connection, and what happens on the desktop when it rings. */
import { useEffect, useState } from "preact/hooks";

import { partOf } from "./call";
import { nameOf } from "./names";
import { useDesk } from "./desk";
import { t } from "./texts";

/** A line that breaks for a moment, as at a reload of the engine, is not worth a word. */
const PATIENCE_MS = 3000;

export function Warnings() {
  const { feed, me } = useDesk();
  const [late, setLate] = useState(false);
  useEffect(() => {
    if (feed.up) {
      setLate(false);
      return undefined;
    }
    const timer = setTimeout(() => setLate(true), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, [feed.up]);
  useNotifications(me.user.key);
  return (
    <div role="status" class="line">
      {late && !feed.up && <p class="warning">{t("offline")}</p>}
    </div>
  );
}

/** Notify of what rings here while nobody looks at the page. Of all tabs only one does. */
function useNotifications(me: string): void {
  const { feed } = useDesk();
  useEffect(() => {
    const shown = new Map<string, () => void>();
    const look = () => {
      const ringing = new Map(feed.calls.all().filter((call) => partOf(call, me) === "ringing").map((call) => [call.id, call]));
      document.title = [ringing.size ? `(${ringing.size})` : "", t("app")].join(" ").trim();
      for (const [id, close] of shown) {
        if (ringing.has(id)) continue;
        close();
        shown.delete(id);
      }
      if (!("Notification" in window) || Notification.permission !== "granted" || document.hasFocus()) return;
      for (const [id, call] of ringing) {
        if (!shown.has(id)) shown.set(id, notify(id, t("rings_here", nameOf(call)), call.from ?? ""));
      }
    };
    look(); // what rings already
    return feed.listen(look);
  }, [feed, me]);
}

/** Show a notification, unless another tab does; return what takes it away. */
function notify(id: string, title: string, body: string): () => void {
  let end: () => void = () => undefined;
  const over = new Promise<void>((done) => {
    end = done;
  });
  void navigator.locks.request(`notify ${id}`, { ifAvailable: true }, async (lock) => {
    if (!lock) return;
    const notice = new Notification(title, { body, tag: id, requireInteraction: true });
    notice.onclick = () => {
      window.focus();
      notice.close();
    };
    await over;
    notice.close();
  });
  return end;
}
