// Passkeys: a form with data-passkey gets options from the server, passes them to the browser, and posts its answer.
//
//   <form data-passkey="create|get" data-start="…" data-finish="…" data-next="…" data-origin="…" hidden>
//
// Its fields travel with both requests. It stays hidden where passkeys cannot work; the page then says why.

const WORDS = {
  NotAllowedError: "That was cancelled, or took too long. Try again.",
  InvalidStateError: "This device already has a passkey for this account.",
  NotSupportedError: "This device does not support the kind of passkey bloop needs.",
  SecurityError: "The browser refuses passkeys at this address.",
  NetworkError: "The server isn't responding.",
};

const toBytes = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (character) => character.charCodeAt(0));

const toText = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

function decode(options) {
  const list = (found = []) => found.map((entry) => ({ ...entry, id: toBytes(entry.id) }));
  const decoded = { ...options, challenge: toBytes(options.challenge) };
  if (options.user) decoded.user = { ...options.user, id: toBytes(options.user.id) };
  if (options.excludeCredentials) decoded.excludeCredentials = list(options.excludeCredentials);
  if (options.allowCredentials) decoded.allowCredentials = list(options.allowCredentials);
  return decoded;
}

function encode(credential) {
  const response = { clientDataJSON: toText(credential.response.clientDataJSON) };
  for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = toText(credential.response[name]);
  }
  const transports = credential.response.getTransports?.();
  if (transports) response.transports = transports;
  return { id: credential.id, rawId: toText(credential.rawId), type: credential.type, response };
}

async function post(url, body) {
  let answer;
  try {
    answer = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
  } catch {
    throw Object.assign(new Error(), { name: "NetworkError" });
  }
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(said.error ?? `The server answers ${answer.status}.`);
  return said;
}

async function perform(form) {
  const fields = Object.fromEntries(new FormData(form));
  const { challenge_id, publicKey } = await post(form.dataset.start, fields);
  const credential = await navigator.credentials[form.dataset.passkey]({ publicKey: decode(publicKey) });
  await post(form.dataset.finish, { ...fields, challenge_id, credential: encode(credential) });
}

function sentence(error) {
  const text = WORDS[error.name] ?? error.message;
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function attach(form) {
  const page = form.parentElement;
  page.querySelector("[data-passkey-off]").hidden = true; // for browsers that do not know the media feature scripting
  if (location.origin !== new URL(form.dataset.origin).origin) {
    page.querySelector("[data-passkey-elsewhere]").hidden = false;
    return;
  }
  if (!window.PublicKeyCredential) {
    page.querySelector("[data-passkey-unsupported]").hidden = false;
    return;
  }
  const button = form.querySelector("button");
  const status = form.querySelector("[data-passkey-status]");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    status.hidden = true;
    try {
      await perform(form);
      location.assign(form.dataset.next);
    } catch (error) {
      status.textContent = sentence(error);
      status.hidden = false;
      button.disabled = false;
    }
  });
  form.hidden = false;
}

document.querySelectorAll("[data-passkey]").forEach(attach);
