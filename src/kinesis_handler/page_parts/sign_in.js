/**
 * Signs a reader in at the issuer, by OpenID Connect's code flow with PKCE, and keeps the token in memory only: after a
 * reload the issuer is asked again, who knows the reader still.
 *
 * Sources: https://openid.net/specs/openid-connect-core-1_0.html#CodeFlowAuth and https://www.rfc-editor.org/rfc/rfc7636
 */

const UNDER_WAY = "sign-in"; // what a sign-in has to know when it comes back; no token

/** The issuer did not sign the reader in. The message says why. */
export class SignInError extends Error {}

export class SignIn {
  #issuer;
  #clientId;
  #scope;
  #returnPath;
  #token = null;

  /**
   * Without a client's id there is no sign-in, and no token.
   *
   * @param issuer where the reader signs in.
   * @param clientId what the page is called there.
   * @param scope what it asks for.
   * @param returnPath where the issuer sends the reader back to.
   */
  constructor({ issuer, clientId, scope, returnPath }) {
    this.#returnPath = returnPath;
    this.#issuer = issuer;
    this.#clientId = clientId;
    this.#scope = scope;
  }

  /** Whether a token is needed, and there is none. */
  get isNeeded() {
    return this.#clientId !== "" && this.#token === null;
  }

  /** Whether a token is at hand. */
  get isDone() {
    return this.#token !== null;
  }

  /** Return the headers that carry the token; none without one. */
  get headers() {
    return this.#token === null ? {} : { Authorization: `Bearer ${this.#token}` };
  }

  /** Return the id of who is signed in, as the token has it. The API checks the token; here it only chooses a page. */
  get user() {
    const claims = this.#token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(claims), (byte) => byte.charCodeAt(0)))).sub;
  }

  /** Forget the token. */
  forget() {
    this.#token = null;
  }

  /** Leave for the issuer, and come back to a path of this page. */
  async begin(path) {
    const { authorization_endpoint: endpoint } = await this.#discover();
    const [state, verifier] = [random(), random()];
    sessionStorage.setItem(UNDER_WAY, JSON.stringify({ state, verifier, path }));
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
    const address = new URL(endpoint);
    for (const [name, value] of Object.entries({
      response_type: "code",
      client_id: this.#clientId,
      redirect_uri: location.origin + this.#returnPath,
      scope: this.#scope,
      state,
      code_challenge: base64url(new Uint8Array(digest)),
      code_challenge_method: "S256",
    })) {
      address.searchParams.set(name, value);
    }
    location.assign(address);
  }

  /** Come back from the issuer: exchange the code for a token, and return the path that was left. */
  async finish() {
    const answer = new URLSearchParams(location.search);
    const begun = JSON.parse(sessionStorage.getItem(UNDER_WAY));
    sessionStorage.removeItem(UNDER_WAY); // a code and its verifier are good for once
    if (begun === null || answer.get("state") !== begun.state) {
      throw new SignInError("This sign-in did not begin on this page.");
    }
    if (!answer.has("code")) throw new SignInError(answer.get("error_description") ?? "The issuer gave no code.");
    const { token_endpoint: endpoint, issuer } = await this.#discover();
    if ((answer.get("iss") ?? issuer) !== issuer) throw new SignInError("Another issuer has answered.");
    const body = new URLSearchParams({
      grant_type: "authorization_code",
      code: answer.get("code"),
      redirect_uri: location.origin + this.#returnPath,
      client_id: this.#clientId,
      code_verifier: begun.verifier,
    });
    const { access_token: token } = await asked(endpoint, { method: "POST", body });
    if (typeof token !== "string" || token.split(".").length !== 3) throw new SignInError("The issuer gave no token.");
    this.#token = token;
    return begun.path;
  }

  /** Return the issuer's description of itself. It has to be the issuer's own, or tokens could go to anybody. */
  async #discover() {
    const found = await asked(`${this.#issuer.replace(/\/$/, "")}/.well-known/openid-configuration`);
    if (found.issuer !== this.#issuer) throw new SignInError("The issuer has another name than it should have.");
    return found;
  }
}

async function asked(address, options = {}) {
  try {
    const response = await fetch(address, { ...options, cache: "no-store", credentials: "omit" });
    const document = await response.json();
    if (response.ok) return document;
    throw new SignInError(document.error_description ?? `The issuer answered ${response.status}.`);
  } catch (error) {
    throw error instanceof SignInError ? error : new SignInError("The issuer cannot be reached.");
  }
}

function random() {
  return base64url(crypto.getRandomValues(new Uint8Array(32)));
}

function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
