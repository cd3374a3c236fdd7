// @ts-check
// Requests to the station, and the queue of gestures: sent one after the other, kept until the station has them.
import { word } from "./words.js";

/** A request that the station has not done, with its problem details (RFC 9457). */
export class Problem extends Error {
  /** @param {any} details */
  constructor(details) {
    const type = String(details.type ?? "").split(":").pop() ?? "";
    // What is wrong with the form of a request is written for programs. That a page has asked wrongly means that it is of another version.
    const forPrograms = type === "not-valid" || type === "http";
    const asked = word("The station did not understand what this page asked ({status}). Load the page again.", { status: details.status });
    super(forPrograms ? asked : [details.detail, details.remedy].filter(Boolean).join(" "));
    this.status = details.status ?? 0;
    this.type = type;
    /** @type {{cell: string, actor: string, at: string, what: string, version: number}[]} */
    this.conflicts = details.conflicts ?? [];
    /** @type {string[]} */
    this.cells = details.cells ?? [];
  }
}

/** The station did not answer at all. */
export class Unreachable extends Error {}

/** @type {{path: string, answer: Promise<Response>} | undefined} what was asked for before these scripts were there */
let early = /** @type {any} */ (window).earlyAnswer;

/** What was asked for early is as old as the page: whoever has changed something since has to ask again. */
export function forgetEarly() {
  early = undefined;
}

/** @param {string} path */
function takeEarly(path) {
  const taken = early?.path === path ? early.answer : undefined;
  if (taken) early = undefined;
  return taken;
}

/**
 * @param {string} path
 * @param {{method?: string, body?: unknown}} [options]
 */
export async function ask(path, { method = "GET", body } = {}) {
  // What the answer says for people, it says in the language of the page.
  const headers = /** @type {Record<string, string>} */ ({ "Accept-Language": document.documentElement.lang });
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer, said;
  try {
    answer = await ((method === "GET" && takeEarly(path)) || fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) }));
    said = answer.headers.get("Content-Type")?.includes("json") ? await answer.json() : null;
  } catch {
    throw new Unreachable(word("The station does not answer.")); // or has gone in the middle of its answer
  }
  if (answer.ok) return said;
  throw new Problem(said ?? { status: answer.status, detail: word("The station answered {status}.", { status: answer.status }) });
}

/** A name for a gesture: random, also where crypto.randomUUID is missing because the page came over plain HTTP. */
export function gestureName() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * @typedef {{path: string, body: any}} Waiting
 * Gestures in their order. One that could not be sent stays first in the queue and is sent again; because it has a
 * name, the station does it once. The queue outlives a reload of the page.
 */
export class GestureQueue extends EventTarget {
  /** @param {string} key under which the gestures that wait are kept */
  constructor(key) {
    super();
    this.key = key;
    /** @type {Waiting[]} */
    this.waiting = JSON.parse(sessionStorage.getItem(key) ?? "[]");
    this.sending = false;
    this.unreachable = false;
    /** Names of gestures that this page has sent. @type {Set<string>} */
    this.own = new Set();
    /** @type {(problem: Problem, waiting: Waiting) => Promise<Waiting | null>} */
    this.onProblem = async () => null;
  }

  /**
   * @param {string} path
   * @param {object} body
   */
  add(path, body) {
    this.waiting.push({ path, body: { ...body, gesture: gestureName() } });
    this.keep();
    return this.send();
  }

  keep() {
    if (this.waiting.length) sessionStorage.setItem(this.key, JSON.stringify(this.waiting));
    else sessionStorage.removeItem(this.key);
    this.dispatchEvent(new CustomEvent("change"));
  }

  /** Waits until the station has all of them, or does not answer. */
  async settled() {
    while (this.waiting.length && !this.unreachable) await new Promise((resolve) => this.addEventListener("change", resolve, { once: true }));
  }

  async send() {
    if (this.sending) return;
    this.sending = true;
    try {
      while (this.waiting.length) await this.sendFirst();
    } finally {
      this.sending = false;
      this.dispatchEvent(new CustomEvent("change"));
    }
    this.dispatchEvent(new CustomEvent("idle"));
  }

  async sendFirst() {
    const first = this.waiting[0];
    this.own.add(first.body.gesture);
    try {
      const done = await ask(first.path, { method: "POST", body: first.body });
      this.waiting.shift();
      this.unreachable = false;
      this.keep();
      this.dispatchEvent(new CustomEvent("done", { detail: done }));
    } catch (error) {
      if (error instanceof Unreachable || (error instanceof Problem && error.status === 503)) {
        this.unreachable = true;
        this.keep();
        await new Promise((resolve) => setTimeout(resolve, 1500));
      } else if (error instanceof Problem) {
        const instead = await this.onProblem(error, first);
        if (instead) this.waiting[0] = instead;
        else this.waiting.shift();
        this.keep();
      } else throw error;
    }
  }
}
