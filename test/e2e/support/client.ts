// A client on the platform's public side: HTTPS from outside the host, without verifying certificates.
import { type RequestOptions, request } from "node:https";

export interface Reply {
  status: number;
  body: string;
}

/** A request other than a plain GET. */
export interface Asked extends Pick<RequestOptions, "method" | "headers"> {
  body?: string;
}

export const ask = (
  address: string,
  domain: string,
  path = "/",
  { method, headers, body }: Asked = {},
): Promise<Reply> =>
  new Promise((resolve, reject) => {
    const options = {
      host: address,
      port: 443,
      servername: domain,
      path,
      method,
      headers: { host: domain, ...headers },
      rejectUnauthorized: false,
      agent: false,
      timeout: 5000,
    };
    request(options, (response) => {
      let body = "";
      response.on("data", (chunk) => (body += chunk));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
    })
      .on("error", reject)
      .on("timeout", function (this: { destroy(error: Error): void }) {
        this.destroy(new Error("no answer within 5 s"));
      })
      .end(body);
  });

/** Requests the page ten times a second until it is stopped; each answer other than 200 is a failure. */
export function watch(address: string, domain: string, path = "/") {
  const failures: string[] = [];
  let asked = 0;
  let stopped = false;
  const pending: Promise<void>[] = [];
  const timer = setInterval(() => {
    asked++;
    const one = ask(address, domain, path).then(
      ({ status }) => void (status === 200 || failures.push(`status ${status}`)),
      (error: Error) => void failures.push(error.message),
    );
    pending.push(one);
  }, 100);
  return async () => {
    if (!stopped) clearInterval(timer);
    stopped = true;
    await Promise.all(pending);
    return { asked, failures };
  };
}
