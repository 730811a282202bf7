/** Which calls a person has closed: in all tabs of the browser, and after a reload, too. */
const KEPT = "dismissed";
const MOST = 200;

type Listener = () => void;
const listeners = new Set<Listener>();

function kept(): string[] {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(KEPT) ?? "[]");
    return Array.isArray(found) ? found.map(String) : [];
  } catch {
    return [];
  }
}

export const dismissed = {
  has: (id: string) => kept().includes(id),
  listen(listener: Listener): Listener {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
};

export function dismiss(id: string): void {
  localStorage.setItem(KEPT, JSON.stringify([...kept(), id].slice(-MOST)));
  for (const listener of listeners) listener();
}

addEventListener("storage", (event) => {
  if (event.key === KEPT) for (const listener of listeners) listener();
});
