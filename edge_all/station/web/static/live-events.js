// @ts-check
// What happens at the station, as it happens.

const GATHER_MS = 80;

/**
 * @typedef {{seq: number, at: string, kind: string, actor: string, slide: string | null, gesture: string | null}} Happened
 * @param {string} after number of the last event that what the page shows is as new as; empty for what comes from now on
 * @param {(events: Happened[]) => void} onEvents at once, and while more happens in bunches
 * @param {(connected: boolean) => void} onConnection
 */
export function listen(after, onEvents, onConnection) {
  const source = new EventSource(`/api/v1/events${after && `?after=${after}`}`);
  /** @type {Happened[]} */
  let gathered = [];
  let timer = 0;
  source.onmessage = (message) => {
    gathered.push(JSON.parse(message.data));
    timer ||= window.setTimeout(() => {
      timer = 0;
      const events = gathered;
      gathered = [];
      onEvents(events);
    }, GATHER_MS);
  };
  source.onopen = () => onConnection(true);
  source.onerror = () => {
    onConnection(false);
    // A refusal (a session that has ended) closes the source for good; the page asks again.
    if (source.readyState === EventSource.CLOSED) {
      window.setTimeout(() => listen(after, onEvents, onConnection), 3000);
    }
  };
  window.addEventListener("pagehide", () => source.close());
}
