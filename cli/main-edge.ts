import { runProcess } from './run-process.ts';

/** What an edge peer needs: nothing here leads to the proxy host, or to the commands of those who run groups. */
runProcess({});
