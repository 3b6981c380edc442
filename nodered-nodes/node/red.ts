/** Node-RED's own types, named once. Nothing of Node-RED is imported at run time: the nodes are handed `RED`. */
export type { Node, NodeAPI, NodeDef, NodeMessage, NodeMessageInFlow, NodeStatus } from 'node-red';
