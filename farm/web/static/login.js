// What a page does once the farm no longer knows who looks at it.

let isLeft = false;
addEventListener("submit", (event) => { isLeft ||= !event.defaultPrevented; });
addEventListener("pageshow", () => { isLeft = false; });

// The farm leads to its login page and back. A page that a sent form is about to leave does not
// load itself anew: that would call off where the form leads to, as logging out does.
export function logInAgain() { if (!isLeft) location.reload(); }
