// A link's secret stands behind # in its address, which browsers send to nobody. It goes into the
// form, and out of the address and of the history.

const field = document.getElementById("link");
const secret = location.hash.slice(1);
if (secret) {
  field.value = secret;
  history.replaceState(null, "", location.pathname);
}
if (field.value) {
  field.type = "password"; // nobody has to read it
  document.querySelector("#open button").focus();
  document.getElementById("passphrase")?.focus();
}
