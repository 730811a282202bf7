/** Shared by all tabs of a browser: one stream for all of them, and what it has told for a tab that comes later. */
import { Calls } from "./calls";
import { Line } from "./line";
import type { Asks, Told } from "./told";

const ports = new Set<MessagePort>();
const calls = new Calls();
let up = false;

function tell(told: Told): void {
  for (const port of ports) port.postMessage(told);
}

const line = new Line({
  all(open) {
    calls.takeAll(open);
    tell({ is: "all", calls: calls.all(), up });
  },
  some(changed) {
    const news = changed.filter((call) => calls.take(call));
    if (news.length) tell({ is: "some", calls: news });
  },
  line(now) {
    if (up !== now) tell({ is: "line", up: (up = now) });
  },
  out() {
    calls.clear();
    tell({ is: "out" });
  },
});

function asked(port: MessagePort, asks: Asks): void {
  if (asks === "leave") {
    ports.delete(port);
    return;
  }
  ports.add(port);
  if (asks === "restart") {
    calls.clear();
    line.restart();
    return;
  }
  // A tab that was frozen has missed nothing that the next lines do not bring.
  port.postMessage({ is: "all", calls: calls.all(), up } satisfies Told);
  line.check();
  line.start();
}

self.addEventListener("connect", (event) => {
  const port = (event as MessageEvent).ports[0];
  if (!port) return;
  port.onmessage = (message: MessageEvent<Asks>) => asked(port, message.data);
});
