/** Connects to url, sends text, and calls onLine with each thing that happens, until the connection is closed. */
export const talk: (url: string, text: string, onLine: (line: string) => void) => void;
