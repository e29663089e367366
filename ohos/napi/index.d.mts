import webSocket from './@ohos.net.webSocket.mjs';
export { webSocket };
export default webSocket;
