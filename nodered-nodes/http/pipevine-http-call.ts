import { type PeerGroup, PipevineError } from '@pipevine/runtime';
import { defineNode } from '../node/define-node.ts';
import { decodeBody } from '../node/message-body.ts';
import type { NodeAPI } from '../node/red.ts';
import { seconds } from '../node/seconds.ts';
import { inputText, inputValue, messageText } from '../node/values.ts';
import { memberNow } from '../peer/member-now.ts';
import { type WantedPipe, type WantedPipeConfig, wantedPipe } from '../pipes/wanted-pipe.ts';
import { HttpPipeAgent } from './http-pipe-agent.ts';
import { MAX_ANSWER_BYTES, sendHttp } from './http-request.ts';
import { bodyFrom, headersFrom, methodFrom, pathFrom } from './request-parts.ts';

export interface HttpCallConfig extends WantedPipeConfig {
  /** `use`: `msg.method`. */
  readonly method?: string;
  /** Empty: `msg.url`. */
  readonly path?: string;
  readonly pathType?: string;
  /** An object; empty: none. Those of `msg.headers` come first. */
  readonly headers?: string;
  readonly headersType?: string;
  /** An object; empty: none. */
  readonly query?: string;
  readonly queryType?: string;
  readonly payload?: string;
  readonly payloadType?: string;
  /** How the answer is read: `text`, `json`, `buffer`. */
  readonly ret?: string;
  /** Seconds. */
  readonly timeout?: unknown;
}

/** Each takes a pipe of its own. */
const IN_WORK = 16;
/** Targets whose connections are kept. */
const MAX_AGENTS = 64;
const DEFAULT_TIMEOUT_SECONDS = 30;
const MAX_TIMEOUT_SECONDS = 3_600;
const WITHOUT_BODY = new Set(['GET', 'HEAD']);

export default function pipevineHttpCall(RED: NodeAPI): void {
  defineNode<HttpCallConfig>(
    RED,
    'pipevine-http-call',
    (context) => {
      const { config, peer } = context;
      const ret = returnFormat(config.ret);
      const timeoutMs = seconds(config.timeout, DEFAULT_TIMEOUT_SECONDS, MAX_TIMEOUT_SECONDS) * 1_000;
      let of: PeerGroup | undefined;
      const agents = new Map<string, HttpPipeAgent>();
      const forget = () => {
        for (const agent of agents.values()) agent.destroy();
        agents.clear();
      };
      const agentFor = (group: PeerGroup, wanted: WantedPipe) => {
        if (of !== group) forget();
        of = group;
        const key = JSON.stringify([wanted.name, wanted.peer]);
        const agent = agents.get(key) ?? new HttpPipeAgent(group, wanted);
        agents.delete(key);
        agents.set(key, agent);
        // One that is in use finishes; it only keeps no connection.
        const [oldest] = agents.keys();
        if (agents.size > MAX_AGENTS && oldest !== undefined) agents.delete(oldest);
        return agent;
      };

      return {
        onMessage: async (msg, send, signal) => {
          const value = (given: string | undefined, type: string | undefined) =>
            given === undefined || given === '' ? undefined : inputValue(context, given, type, msg);
          const wanted = await wantedPipe(context, msg);
          const given = await inputText(context, config.path ?? '', config.pathType, msg, 'A path');
          const path = given ?? messageText(msg.url) ?? '/';
          const method = methodFrom(config.method === 'use' ? msg.method : config.method || 'GET');
          const { body, type } = WITHOUT_BODY.has(method)
            ? { body: undefined, type: undefined }
            : bodyFrom(await inputValue(context, config.payload ?? 'payload', config.payloadType ?? 'msg', msg));
          const headers = headersFrom(
            type === undefined ? undefined : { 'content-type': type },
            msg.headers,
            await value(config.headers, config.headersType ?? 'json'),
          );
          const query = await value(config.query, config.queryType ?? 'json');
          const agent = agentFor(memberNow(peer).group, wanted);
          const request = { method, path: pathFrom(path, query), headers, body };
          const answer = await sendHttp(agent, request, { signal, timeoutMs });
          const payload = decodeBody(answer.body, answer.body.length === 0 ? 'text' : ret, MAX_ANSWER_BYTES);
          send(Object.assign(msg, { payload, statusCode: answer.status, headers: answer.headers, pipe: wanted.name }));
        },
        onClose: async () => forget(),
      };
    },
    { inWork: IN_WORK },
  );
}

function returnFormat(given: string | undefined): 'text' | 'json' | 'buffer' {
  if (given === undefined || given === '') return 'text';
  if (given === 'text' || given === 'json' || given === 'buffer') return given;
  throw new PipevineError('invalid-argument', `An answer is returned as text, json or buffer, not "${given}".`);
}
