/** What the tabs and the worker that they share say to each other. */
import type { Call } from "./call";

export type Told =
  | { is: "all"; calls: Call[]; up: boolean }
  | { is: "some"; calls: Call[] }
  | { is: "line"; up: boolean }
  | { is: "out" };

/** `look` is said at first and whenever somebody looks at the tab again, `restart` after a log-in. */
export type Asks = "look" | "restart" | "leave";
