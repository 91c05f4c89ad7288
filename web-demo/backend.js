// The development server's tokens, for a page without a backend of its own.

import { PlenumError } from "./failures.js";

/**
 * A token from the development server; elsewhere there is no such thing, and people come with tokens.
 * @param {{ room: string, name: string, role: string, identity?: string }} person
 * @returns {Promise<{ token: string, identity: string }>}
 */
export async function developmentToken(person) {
  const response = await ask("/api/dev/token", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(person),
  });
  if (response.ok) return response.json();
  if (response.status === 404 || response.status === 405) throw new PlenumError("token_needed");
  if (response.status === 429) throw new PlenumError("too_fast");
  const { code, message } = await response.json().catch(() => ({}));
  throw new PlenumError(code ?? (response.status >= 500 ? "server_gone" : "internal"), message ?? `HTTP ${response.status}`);
}

/**
 * @param {string} path
 * @param {RequestInit} init
 */
async function ask(path, init) {
  try {
    return await fetch(path, { ...init, signal: AbortSignal.timeout(10_000) });
  } catch (error) {
    throw new PlenumError("server_gone", String(error));
  }
}
