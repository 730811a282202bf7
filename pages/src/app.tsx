import { render } from "preact";

import { LogIn } from "./log-in";

const place = document.getElementById("app");
if (place) render(<LogIn />, place);
