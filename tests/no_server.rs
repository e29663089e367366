//! A build without servers: `cargo test --no-default-features --test no_server`.
#![cfg(not(feature = "server"))]

use netstack_websocket::ffi::{
    nsws_client, nsws_client_create, nsws_client_destroy, nsws_connection, nsws_connection_close,
    nsws_server, nsws_server_create, nsws_server_start, nsws_shutdown, NSWS_ERR_BAD_HANDLE,
    NSWS_ERR_NOT_SUPPORTED, NSWS_OK,
};

#[test]
fn a_server_is_not_supported_and_everything_else_is() {
    let (mut server, mut client) = (nsws_server { id: 0 }, nsws_client { id: 0 });
    // SAFETY: the outputs are writable, and NULL is allowed for the rest.
    unsafe {
        assert_eq!(nsws_server_create(&raw mut server), NSWS_ERR_NOT_SUPPORTED);
        assert_eq!(server.id, 0);
        assert_eq!(nsws_server_start(server, std::ptr::null()), NSWS_ERR_BAD_HANDLE);
        let connection = nsws_connection { id: 0 };
        assert_eq!(nsws_connection_close(connection, 1000, std::ptr::null()), NSWS_ERR_BAD_HANDLE);
        assert_eq!(nsws_client_create(&raw mut client), NSWS_OK);
    }
    assert_eq!(nsws_client_destroy(client), NSWS_OK);
    assert_eq!(nsws_shutdown(10_000), NSWS_OK);
}

#[cfg(not(feature = "deflate"))]
#[test]
fn compression_is_not_supported_without_its_feature() {
    use netstack_websocket::error::Code;
    use netstack_websocket::frame::extension::{agree, offer, CompressionOptions};

    assert!(CompressionOptions::default().check().is_ok());
    let on = CompressionOptions { enabled: true, ..CompressionOptions::default() };
    assert_eq!(on.check().map_err(|error| error.code), Err(Code::NotSupported));
    assert_eq!(offer(&on), None);
    assert_eq!(agree(&on, [&b"permessage-deflate"[..]].into_iter()), None);
}
