import { PipevineError } from '../error/pipevine-error.ts';
import type { GroupId } from '../id/group-id.ts';
import type { PipeService, RequestPipe } from '../pipe/pipe.ts';

export interface DoubtedMembershipInit {
  readonly pipes: Pick<PipeService, 'serve' | 'requester'>;
  /** Asks an administrator whether the membership was changed; resolves to whether there is another credential now. */
  readonly doubt: (group: GroupId) => Promise<boolean>;
}

/**
 * The pipes to other members, for a peer whose membership may have been changed while nobody could tell it: with the old
 * credential no member lets it in any more, so none would pass the change on. Who is told that its membership is void asks
 * an administrator, and tries once more with what it got.
 */
export function doubtedMembership({ pipes, doubt }: DoubtedMembershipInit): Pick<PipeService, 'serve' | 'requester'> {
  return {
    serve: (init, handler) => pipes.serve(init, handler),
    async requester(init): Promise<RequestPipe> {
      try {
        return await pipes.requester(init);
      } catch (error) {
        const isVoid = error instanceof PipevineError && error.code === 'revoked';
        if (!isVoid || !(await doubt(init.group))) throw error;
        return pipes.requester(init);
      }
    },
  };
}
