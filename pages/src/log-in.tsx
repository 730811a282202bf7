/** The page of who is not logged in. */
export function LogIn() {
  return (
    <main class="log-in">
      <h1>Routing Engine</h1>
    </main>
  );
}
