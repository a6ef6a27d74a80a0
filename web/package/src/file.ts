/**
 * Fetches a file that has to be there. A bundler may have put a short one into its own address; a page's content policy need not
 * allow that to be fetched, and it needs nobody to give it.
 */
export async function fetched(url: URL): Promise<Response> {
  if (url.protocol === 'data:') return new Response(written(url));
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
  return response;
}

/** What a `data:` address says. */
function written(url: URL): Uint8Array<ArrayBuffer> {
  const comma = url.href.indexOf(',');
  const text = decodeURIComponent(url.href.slice(comma + 1));
  if (!url.href.slice(0, comma).endsWith(';base64')) return new TextEncoder().encode(text);
  return Uint8Array.from(atob(text), (byte) => byte.charCodeAt(0));
}
