// Passkeys, where the browser has them: shows what needs one, and says so when it did not work. The ceremony itself is
// allauth's (mfa/js/webauthn.js), which tells of trouble by the event "allauth.error".
//
//   <button data-needs-passkeys hidden>…</button>   <p data-passkey-trouble hidden>sentence</p>

if (window.PublicKeyCredential) {
  for (const part of document.querySelectorAll("[data-needs-passkeys]")) part.hidden = false;
}
document.addEventListener("allauth.error", (event) => {
  event.preventDefault();
  for (const part of document.querySelectorAll("[data-passkey-trouble]")) part.hidden = false;
});
