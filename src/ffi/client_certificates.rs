//! The certificates of the server that a client is connected to.

use std::ffi::{c_char, c_void, CString};
use std::mem::size_of;

use super::arguments::c_text;
use super::call;
use super::client::client;
use super::handle::nsws_client;
use crate::error::{Code, Error};
use crate::tls::ServerCertificate;

/// A certificate that a server has presented. If it can't be read, `subject`, `issuer` and `pin` are "", there are
/// no names, and both times are 0. Subject, issuer and names come from the network. Control characters are removed, and
/// each is cut at 200 characters: show them to people, but decide by the pin, the fingerprint or the certificate itself.
/// The struct and what it points to are valid until the callback returns; copy what you keep.
/// @since 0.2
#[repr(C)]
#[allow(non_camel_case_types)]
pub struct nsws_certificate {
    /// The size of this struct in the library that made it.
    pub struct_size: usize,
    /// The certificate as DER (X.509).
    pub der: *const u8,
    /// The length of `der` in bytes.
    pub der_length: usize,
    /// The certificate as PEM.
    pub pem: *const c_char,
    /// The SHA-256 of the DER as 64 lower-case hexadecimal digits.
    pub fingerprint: *const c_char,
    /// The SHA-256 of its public key as `pinned_public_keys` of nsws_connect_options takes it: "sha256//BASE64".
    pub pin: *const c_char,
    /// The subject, as "CN=..., O=...".
    pub subject: *const c_char,
    /// The issuer, in the same form.
    pub issuer: *const c_char,
    /// The DNS names and IP addresses that it is for. A DNS name that looks like an IP address has
    /// " as a DNS name" appended.
    pub names: *const *const c_char,
    /// The number of `names`.
    pub name_count: usize,
    /// The first second of its validity, in seconds since 1970 (UTC).
    pub not_before_s: i64,
    /// The last second of its validity, in seconds since 1970 (UTC).
    pub not_after_s: i64,
}

/// Receives a certificate from nsws_client_list_certificates(). It may call the library.
/// @since 0.2
#[allow(non_camel_case_types)]
pub type nsws_certificate_fn = Option<
    unsafe extern "C" fn(client: nsws_client, certificate: *const nsws_certificate, user_data: *mut c_void),
>;

/// Lists the certificates that the server has presented in TLS: calls `fn` once for each, the server's own first, in
/// the server's order. From `open` to `close`, these are the certificates of the open connection, even if its TLS session
/// was resumed. If the last attempt failed because of the certificate, or after the TLS handshake, they are that
/// attempt's, until the next attempt ends or nsws_client_connect() is called. An `error` listener can therefore show them.
/// If the server's signature was refused, only its own certificate is known.
///
/// That a certificate is listed doesn't mean that it is trusted.
///
/// @param client the client
/// @param fn called on this thread, before this call returns; each certificate is valid only during its call
/// @param user_data passed to `fn`
/// @return NSWS_OK: `fn` was called at least once; NSWS_ERR_PARAMETER: `fn` is NULL; NSWS_ERR_NOT_CONNECTED: there
///         is no open connection over TLS, and no certificates are kept from a failed attempt; NSWS_ERR_BAD_HANDLE;
///         NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.2
#[no_mangle]
pub unsafe extern "C" fn nsws_client_list_certificates(
    client: nsws_client,
    r#fn: nsws_certificate_fn,
    user_data: *mut c_void,
) -> i32 {
    call(|| {
        let function = r#fn.ok_or_else(|| Error::call(Code::Parameter, "fn is NULL."))?;
        for certificate in self::client(client)?.certificates()? {
            // SAFETY: the caller gave the function for these arguments, which outlive the call.
            with_certificate(&certificate, |certificate| unsafe { function(client, certificate, user_data) });
        }
        Ok(())
    })
}

fn with_certificate(certificate: &ServerCertificate, call: impl FnOnce(*const nsws_certificate)) {
    let [pem, fingerprint, pin, subject, issuer] = [
        &certificate.pem,
        &certificate.fingerprint,
        &certificate.pin,
        &certificate.subject,
        &certificate.issuer,
    ]
    .map(|text| c_text(text.as_str()));
    let names: Vec<CString> = certificate.names.iter().map(|name| c_text(name.as_str())).collect();
    let pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    call(&nsws_certificate {
        struct_size: size_of::<nsws_certificate>(),
        der: certificate.der.as_ptr(),
        der_length: certificate.der.len(),
        pem: pem.as_ptr(),
        fingerprint: fingerprint.as_ptr(),
        pin: pin.as_ptr(),
        subject: subject.as_ptr(),
        issuer: issuer.as_ptr(),
        names: pointers.as_ptr(),
        name_count: pointers.len(),
        not_before_s: certificate.not_before,
        not_after_s: certificate.not_after,
    });
}
