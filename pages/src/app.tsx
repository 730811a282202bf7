/** The page: who is logged in decides what it shows, its address decides which part of that. */
import { render } from "preact";
import { useCallback, useEffect, useState } from "preact/hooks";

import { api, ApiError, type Me } from "./api";
import { iAm } from "./call";
import { type Desk, DeskContext, useChanges } from "./desk";
import { DialBox } from "./dial";
import { Feed } from "./feed";
import { Lists } from "./lists";
import { LogIn } from "./log-in";
import { learnNames } from "./names";
import { Notices, Pops } from "./pops";
import { OneCall } from "./one-call";
import { Phone } from "./phone";
import { PhoneBar } from "./phone-bar";
import { Settings } from "./settings";
import { chooseLanguage, t } from "./texts";
import { Warnings } from "./warnings";

chooseLanguage();
const feed = new Feed();
const phone = new Phone();

function useAddress(): [string, (path: string) => void] {
  const [path, setPath] = useState(location.pathname);
  useEffect(() => {
    const changed = () => setPath(location.pathname);
    addEventListener("popstate", changed);
    return () => removeEventListener("popstate", changed);
  }, []);
  const go = useCallback((to: string) => {
    history.pushState(null, "", to);
    setPath(new URL(to, location.href).pathname);
  }, []);
  return [path, go];
}

function App() {
  const [me, setMe] = useState<Me | "nobody" | "unknown">("unknown");
  const [path, go] = useAddress();
  const look = useCallback(async () => {
    try {
      const found = await api.me();
      chooseLanguage(found.language);
      iAm(found.user.key);
      setMe(found);
      feed.start();
      void api.users().then(({ users }) => learnNames(users), () => undefined);
    } catch (error) {
      const refused = error instanceof ApiError && (error.status === 401 || error.status === 403);
      if (refused) setMe("nobody");
      else setTimeout(() => void look(), 2000); // the engine is restarting, perhaps
    }
  }, []);
  useEffect(() => {
    feed.onOut = () => setMe((before) => (before === "unknown" ? before : "nobody"));
    void look();
  }, [look]);

  if (me === "unknown") return null;
  if (me === "nobody") {
    const done = async () => {
      feed.restart();
      await look();
      if (location.pathname === "/log-in") go("/");
    };
    return <LogIn done={done} />;
  }
  const leave = async () => {
    phone.off();
    await api.logOut();
    feed.restart();
    setMe("nobody");
  };
  return (
    <DeskContext.Provider value={{ me, feed, phone, go }}>
      <Frame path={path} leave={leave} desk={{ me, feed, phone, go }} />
    </DeskContext.Provider>
  );
}

function Frame({ path, leave, desk }: { path: string; leave: () => Promise<void>; desk: Desk }) {
  useChanges(desk.feed);
  const call = /^\/calls\/([^/]+)$/.exec(path)?.[1];
  const to = (address: string) => (event: Event) => {
    event.preventDefault();
    desk.go(address);
  };
  return (
    <>
      <header>
        <h1>
          <a href="/" onClick={to("/")}>
            {t("app")}
          </a>
        </h1>
        {desk.me.may.includes("dial") && <DialBox />}
        <nav>
          <a href="/settings" onClick={to("/settings")} aria-current={path === "/settings" ? "page" : undefined}>
            {t("settings")}
          </a>
          <button class="plain" onClick={() => void leave()}>
            {t("log_out")}
          </button>
        </nav>
      </header>
      <Warnings />
      <PhoneBar />
      <main class="desk">
        <div class="calls">
          <Notices />
          {path === "/settings" ? <Settings /> : call ? <OneCall id={decodeURIComponent(call)} /> : null}
          <Pops alone={path === "/" || path === "/log-in"} />
        </div>
        <Lists />
      </main>
    </>
  );
}

const place = document.getElementById("app");
if (place) render(<App />, place);
