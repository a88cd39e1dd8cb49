// Where the page is served, and so where the API is: beside it, on the same origin. On AWS that is `/portal/` and
// `/portals/…`; on the local cloud both are further down.

/** The page's own path, with a slash at its end. serve-portal writes it into `base`, as the request came. */
export const HERE = new URL(document.baseURI).pathname;

/** The page's first address. The gateway has no route to it with a slash at its end. */
export const HOME = HERE.slice(0, -1);

/** The address that the user pool sends the browser back to: that of the page, as the stack names it. */
export const CALLBACK = new URL(HOME, location.origin).href;

/** A path of the page, from one that begins with a slash. */
export function at(path: string): string {
  return HOME + path;
}

/** An address of the API, from a path that begins with a slash. */
export function api(path: string): string {
  return new URL(`..${path}`, document.baseURI).href;
}

/** The path of a screen about a portal. */
export function ofPortal(portal: string, screen = ""): string {
  return at(`/portals/${portal}${screen}`);
}
