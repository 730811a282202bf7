/** The telephone in the page. */
export function PhoneBar() {
  return null;
}
