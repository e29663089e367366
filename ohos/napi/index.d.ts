import webSocket from './@ohos.net.webSocket';
export { webSocket };
export default webSocket;
