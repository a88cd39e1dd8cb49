// Who is signed in, by the user pool's own pages: authorisation code with PKCE. Tokens are in sessionStorage, which
// ends with the tab, and in no cookie.

import { ErrorResponse, UserManager, WebStorageStateStore, type User, type UserManagerSettings } from "oidc-client-ts";
import { CALLBACK, HERE, HOME } from "./place";

/** What serve-portal says of the stack. */
export interface Config {
  /** Whose tokens the API takes. */
  issuer: string;
  /** Where the stack's user pool has its pages; `null` where another issuer signs people in. */
  sign_in_url: string | null;
  client_id: string;
  /** Whether people can be imported from Xero. */
  xero: boolean;
  /** Whether mails about uploads are sent. */
  mails: boolean;
  /** A larger file is rejected. */
  max_file_bytes: number;
}

/** What a token says of its holder. The API decides by the same claims; here they decide what is shown. */
export interface Person {
  email: string;
  /** Of whose portal somebody is administrator. */
  portal: string | null;
  /** Whether somebody works for Go1, and may see every portal. */
  operator: boolean;
}

/** The scope of refresh tokens (OpenID Connect Core, 11). */
const LASTING = "offline_access";

export class Session {
  private constructor(
    private readonly manager: UserManager,
    readonly config: Config,
    private user: User | null,
    /** Somebody came back from signing in, and it did not work. */
    readonly failed = false,
  ) {}

  /** Reads what the stack is, and who is signed in; ends a sign-in whose way back this address is. */
  static async begin(): Promise<Session> {
    const answer = await fetch(new URL("config.json", document.baseURI));
    if (!answer.ok) throw new Error(`config.json: ${answer.status}`);
    const config = (await answer.json()) as Config;
    const manager = new UserManager(settings(config));
    const query = new URLSearchParams(location.search);
    if (!query.has("state") || !(query.has("code") || query.has("error"))) {
      const session = new Session(manager, config, await manager.getUser());
      // Without a connection that is tried again with the first call.
      if (session.user?.expired) await session.renew().catch(() => false);
      if (!query.has("code")) return session;
      // From the page where a password is changed: its code belongs to nothing that was begun here.
      history.replaceState(null, "", HOME);
      if (!session.user) await session.signIn();
      return session;
    }
    try {
      const user = await manager.signinCallback();
      const back = typeof user?.state === "string" && user.state.startsWith(HERE) ? user.state : HOME;
      history.replaceState(null, "", back);
      return new Session(manager, config, user ?? null);
    } catch {
      // A code works once: whoever reloads the address, or comes back late, signs in again.
      history.replaceState(null, "", HOME);
      const user = await manager.getUser();
      return new Session(manager, config, user, user === null);
    }
  }

  get person(): Person | null {
    if (!this.user) return null;
    const claims = this.user.profile as Record<string, unknown>;
    const roles = [claims["cognito:groups"], claims["roles"]].flat();
    const portal = claims["custom:portal_id"] ?? claims["portal_id"];
    return {
      email: String(claims["email"] ?? ""),
      portal: portal === undefined ? null : String(portal),
      operator: roles.includes("operator"),
    };
  }

  /** For the API, which reads ID tokens. `null`: nobody is signed in any more. */
  async token(): Promise<string | null> {
    if (this.user?.expired) await this.renew();
    return this.user?.id_token ?? null;
  }

  private renewal: Promise<boolean> | null = null;

  /** A new token for an old one, if the issuer gives one. Throws if the issuer cannot be asked. */
  renew(): Promise<boolean> {
    // Calls go out several at a time, and what renews a token may work once.
    this.renewal ??= this.renewed().finally(() => (this.renewal = null));
    return this.renewal;
  }

  private async renewed(): Promise<boolean> {
    const before = this.user;
    let user: User | null = null;
    try {
      user = before?.refresh_token ? await this.manager.signinSilent() : null;
    } catch (error) {
      // Of a lost connection nothing is known about the session.
      if (!(error instanceof ErrorResponse)) throw error;
    }
    // Somebody may have signed out meanwhile.
    this.user = this.user && user;
    if (!this.user) await this.manager.removeUser();
    return this.user !== null;
  }

  /** Leaves for the sign-in page, and comes back to where it was. */
  async signIn(): Promise<void> {
    const { scopes_supported } = await this.manager.metadataService.getMetadata();
    // Without it, some give no refresh token, and a session ends with its first token.
    const more = scopes_supported?.includes(LASTING) ? ` ${LASTING}` : "";
    const scope = this.manager.settings.scope + more;
    await this.manager.signinRedirect({ scope, state: location.pathname + location.search });
  }

  /** Ends the session here and where people sign in. Nothing of it is left on the screen meanwhile. */
  async signOut(): Promise<void> {
    const { user, manager } = this;
    const { sign_in_url, client_id } = this.config;
    this.user = null;
    document.body.replaceChildren("Signing out…");
    await manager.removeUser();
    // Whoever cannot be asked: here the session has ended.
    const metadata = await manager.metadataService.getMetadata().catch(() => null);
    revoke(metadata?.revocation_endpoint, user?.refresh_token, client_id);
    if (sign_in_url !== null) {
      const query = new URLSearchParams({ client_id, logout_uri: CALLBACK });
      location.assign(`${sign_in_url}/logout?${query}`);
    } else if (metadata?.end_session_endpoint) {
      const end = new URL(metadata.end_session_endpoint);
      end.searchParams.set("client_id", client_id);
      end.searchParams.set("post_logout_redirect_uri", CALLBACK);
      if (user?.id_token) end.searchParams.set("id_token_hint", user.id_token);
      location.assign(end);
    } else {
      location.assign(HOME);
    }
  }

  /** The user pool's page where a password is changed. */
  get passwordPage(): string | null {
    const { sign_in_url, client_id } = this.config;
    if (sign_in_url === null) return null;
    const query = new URLSearchParams({
      client_id,
      redirect_uri: CALLBACK,
      response_type: "code",
      scope: "openid",
    });
    return `${sign_in_url}/forgotPassword?${query}`;
  }
}

/** Asked without waiting; the browser sends it although the page is left. What it cannot revoke ends by itself. */
function revoke(endpoint: string | undefined, token: string | undefined, client_id: string): void {
  if (!endpoint || !token) return;
  const body = new URLSearchParams({ token, token_type_hint: "refresh_token", client_id });
  void fetch(endpoint, { method: "POST", body, keepalive: true }).catch(() => undefined);
}

function settings({ issuer, sign_in_url, client_id }: Config): UserManagerSettings {
  const store = new WebStorageStateStore({ store: sessionStorage });
  const common = {
    authority: issuer,
    client_id,
    redirect_uri: CALLBACK,
    scope: "openid email",
    userStore: store,
    stateStore: store,
    monitorSession: false,
    automaticSilentRenew: false,
    requestTimeoutInSeconds: 10,
  };
  if (sign_in_url === null) return common;
  // The user pool's own description names these for the pool's domain, but only at another address.
  const metadata = {
    issuer,
    authorization_endpoint: `${sign_in_url}/oauth2/authorize`,
    token_endpoint: `${sign_in_url}/oauth2/token`,
    revocation_endpoint: `${sign_in_url}/oauth2/revoke`,
  };
  // Alone, it gives all that the client may read. With another beside it, a user pool leaves out what belongs to
  // neither: the portal.
  return { ...common, scope: "openid", metadata };
}
