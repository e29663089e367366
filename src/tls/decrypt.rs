//! Encrypted private keys: PKCS#8 with PBES2 (RFC 8018 6.2), and the older PEM with `DEK-Info` (RFC 1421, as OpenSSL
//! fills it). The ciphers are RustCrypto's and ring's; what a file demands of them is bounded here.
//!
//! Not `pkcs5`: two inputs make it panic, it derives without bounds, and it doesn't wipe the derived key.

use std::num::NonZeroU32;

use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockCipherDecrypt, BlockModeDecrypt, KeyInit, KeyIvInit};
use cbc::Decryptor;
use md5::{Digest, Md5};
use ring::pbkdf2;
use zeroize::Zeroizing;

use super::der::Der;
use crate::error::Code;
use crate::secret::Secret;

/// What is wrong with a key: its detail code, and the end of a sentence that begins with the file.
pub type Problem = (Code, String);

/// More rounds of PBKDF2 take seconds.
const MOST_ROUNDS: u32 = 10_000_000;
/// More memory for scrypt than OpenSSL itself would take.
const MOST_SCRYPT_MEMORY: u64 = 64 << 20;
/// N * r * p, which is what scrypt's time grows with: a second or two.
const MOST_SCRYPT_WORK: u64 = 1 << 22;

/// The algorithms' names, as DER has them (RFC 8018 A and B, RFC 7914 7, RFC 3565 4.1).
mod oid {
    pub const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 13];
    pub const PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 12];
    pub const SCRYPT: &[u8] = &[0x2b, 6, 1, 4, 1, 0xda, 0x47, 4, 11];
    pub const HMAC_SHA1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 7];
    pub const HMAC_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 9];
    pub const HMAC_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 10];
    pub const HMAC_SHA512: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 11];
    pub const AES_128_CBC: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 2];
    pub const AES_192_CBC: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 22];
    pub const AES_256_CBC: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 42];
    pub const DES_EDE3_CBC: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 3, 7];
}

/// An encrypted key and all that opens it but the password.
pub struct Locked {
    derivation: Derivation,
    cipher: Cipher,
    iv: Vec<u8>,
    data: Zeroizing<Vec<u8>>,
}

/// How a password becomes a key.
enum Derivation {
    Pbkdf2 {
        prf: pbkdf2::Algorithm,
        rounds: NonZeroU32,
        salt: Vec<u8>,
    },
    Scrypt {
        parameters: scrypt::Params,
        salt: Vec<u8>,
    },
    /// OpenSSL's EVP_BytesToKey() with one round of MD5.
    Md5 {
        salt: Vec<u8>,
    },
}

/// Ciphers in CBC mode.
#[derive(Clone, Copy)]
enum Cipher {
    Aes128,
    Aes192,
    Aes256,
    TripleDes,
}

impl Cipher {
    fn key_size(self) -> usize {
        match self {
            Cipher::Aes128 => 16,
            Cipher::Aes192 | Cipher::TripleDes => 24,
            Cipher::Aes256 => 32,
        }
    }

    /// Decrypts in place; the length without the padding, or `None` when there is no valid padding.
    fn decrypt(self, key: &[u8], iv: &[u8], data: &mut [u8]) -> Option<usize> {
        fn cbc<C: BlockCipherDecrypt + KeyInit>(key: &[u8], iv: &[u8], data: &mut [u8]) -> Option<usize> {
            let decryptor = Decryptor::<C>::new_from_slices(key, iv).ok()?;
            Some(decryptor.decrypt_padded::<Pkcs7>(data).ok()?.len())
        }
        match self {
            Cipher::Aes128 => cbc::<aes::Aes128>(key, iv, data),
            Cipher::Aes192 => cbc::<aes::Aes192>(key, iv, data),
            Cipher::Aes256 => cbc::<aes::Aes256>(key, iv, data),
            Cipher::TripleDes => cbc::<des::TdesEde3>(key, iv, data),
        }
    }
}

impl Locked {
    /// An `EncryptedPrivateKeyInfo` (RFC 5958 3).
    pub fn pkcs8(der: &[u8]) -> Result<Locked, Problem> {
        let (scheme, mut parameters, data) = Self::parts(der).ok_or_else(damaged)?;
        if scheme != oid::PBES2 {
            return Err(unreadable("its encryption is older than PBES2"));
        }
        let (function, how) = parameters.algorithm().ok_or_else(damaged)?;
        let (cipher, mut iv) = parameters.algorithm().ok_or_else(damaged)?;
        let cipher = match cipher {
            oid::AES_128_CBC => Cipher::Aes128,
            oid::AES_192_CBC => Cipher::Aes192,
            oid::AES_256_CBC => Cipher::Aes256,
            oid::DES_EDE3_CBC => Cipher::TripleDes,
            _ => return Err(unreadable("its cipher is not AES or 3DES in CBC mode")),
        };
        let derivation = match function {
            oid::PBKDF2 => Derivation::pbkdf2(how)?,
            oid::SCRYPT => Derivation::scrypt(how)?,
            _ => return Err(unreadable("its key derivation is not PBKDF2 or scrypt")),
        };
        let iv = iv.bytes().ok_or_else(damaged)?.to_vec();
        Ok(Locked { derivation, cipher, iv, data: Zeroizing::new(data.to_vec()) })
    }

    /// The encryption's name and parameters, and what is encrypted.
    fn parts(der: &[u8]) -> Option<(&[u8], Der<'_>, &[u8])> {
        let mut info = Der(der).sequence()?;
        let (scheme, mut parameters) = info.algorithm()?;
        Some((scheme, parameters.sequence()?, info.bytes()?))
    }

    /// A block whose `DEK-Info` header is this.
    pub fn traditional(dek_info: &str, data: Zeroizing<Vec<u8>>) -> Result<Locked, Problem> {
        let (name, iv) = dek_info.split_once(',').unwrap_or((dek_info, ""));
        let cipher = match name.trim().to_ascii_uppercase().as_str() {
            "AES-128-CBC" => Cipher::Aes128,
            "AES-192-CBC" => Cipher::Aes192,
            "AES-256-CBC" => Cipher::Aes256,
            "DES-EDE3-CBC" => Cipher::TripleDes,
            _ => return Err(unreadable("its cipher is not AES-CBC or DES-EDE3-CBC")),
        };
        let iv = data_encoding::HEXUPPER_PERMISSIVE.decode(iv.trim().as_bytes()).unwrap_or_default();
        // OpenSSL takes the start of the IV as the salt.
        let Some(salt) = iv.get(..8).map(<[u8]>::to_vec) else {
            return Err((Code::KeyContent, "has a private key with a broken DEK-Info header".into()));
        };
        Ok(Locked { derivation: Derivation::Md5 { salt }, cipher, iv, data })
    }

    /// The key, as DER.
    pub fn open(mut self, password: &Secret) -> Result<Zeroizing<Vec<u8>>, Problem> {
        let wrong =
            || (Code::WrongPassword, "holds an encrypted private key, and the password is wrong".into());
        let key = self.derivation.derive(password.expose().as_bytes(), self.cipher.key_size());
        let length = self.cipher.decrypt(&key, &self.iv, &mut self.data).ok_or_else(wrong)?;
        self.data.truncate(length);
        // One wrong password in 256 leaves a valid padding, but nothing that is DER.
        let mut der = Der(&self.data);
        match der.sequence().is_some() && der.0.is_empty() {
            true => Ok(self.data),
            false => Err(wrong()),
        }
    }
}

impl Derivation {
    /// `PBKDF2-params` (RFC 8018 A.2).
    fn pbkdf2(mut parameters: Der<'_>) -> Result<Derivation, Problem> {
        let mut parameters = parameters.sequence().ok_or_else(damaged)?;
        let salt = parameters.bytes().ok_or_else(damaged)?.to_vec();
        let rounds = parameters.number().ok_or_else(damaged)?;
        // The length of the key follows from the cipher.
        let _ = parameters.number();
        let prf = match parameters.algorithm() {
            None => pbkdf2::PBKDF2_HMAC_SHA1,
            Some((oid::HMAC_SHA1, _)) => pbkdf2::PBKDF2_HMAC_SHA1,
            Some((oid::HMAC_SHA256, _)) => pbkdf2::PBKDF2_HMAC_SHA256,
            Some((oid::HMAC_SHA384, _)) => pbkdf2::PBKDF2_HMAC_SHA384,
            Some((oid::HMAC_SHA512, _)) => pbkdf2::PBKDF2_HMAC_SHA512,
            Some(_) => return Err(unreadable("its PBKDF2 is not with SHA-1, SHA-256, SHA-384 or SHA-512")),
        };
        match u32::try_from(rounds).ok().filter(|rounds| *rounds <= MOST_ROUNDS).map(NonZeroU32::new) {
            Some(Some(rounds)) => Ok(Derivation::Pbkdf2 { prf, rounds, salt }),
            Some(None) => Err(damaged()),
            None => Err(unreadable(format!("{rounds} rounds of PBKDF2 are more than {MOST_ROUNDS}"))),
        }
    }

    /// `scrypt-params` (RFC 7914 7.1).
    fn scrypt(mut parameters: Der<'_>) -> Result<Derivation, Problem> {
        let mut parameters = parameters.sequence().ok_or_else(damaged)?;
        let salt = parameters.bytes().ok_or_else(damaged)?.to_vec();
        let mut number = || parameters.number().ok_or_else(damaged);
        let (n, r, p) = (number()?, number()?, number()?);
        let memory = n.saturating_add(p).saturating_mul(r).saturating_mul(128);
        if memory > MOST_SCRYPT_MEMORY || n.saturating_mul(r).saturating_mul(p) > MOST_SCRYPT_WORK {
            return Err(unreadable(format!(
                "its scrypt parameters {n}, {r}, {p} need too much memory or time"
            )));
        }
        if n < 2 || !n.is_power_of_two() {
            return Err(damaged());
        }
        let small = |number: u64| u32::try_from(number).map_err(|_| damaged());
        let parameters = scrypt::Params::new(n.ilog2() as u8, small(r)?, small(p)?).map_err(|_| damaged())?;
        Ok(Derivation::Scrypt { parameters, salt })
    }

    fn derive(&self, password: &[u8], size: usize) -> Zeroizing<Vec<u8>> {
        let mut key = Zeroizing::new(vec![0; size]);
        match self {
            Derivation::Pbkdf2 { prf, rounds, salt } => {
                pbkdf2::derive(*prf, *rounds, salt, password, &mut key);
            }
            Derivation::Scrypt { parameters, salt } => {
                // It fails for an empty output alone.
                let _ = scrypt::scrypt(password, salt, parameters, &mut key);
            }
            Derivation::Md5 { salt } => {
                let mut block = Zeroizing::new([0; 16]);
                for (index, part) in key.chunks_mut(16).enumerate() {
                    let mut hash = Md5::new();
                    if index > 0 {
                        hash.update(*block);
                    }
                    hash.update(password);
                    hash.update(salt);
                    *block = hash.finalize().into();
                    part.iter_mut().zip(block.iter()).for_each(|(to, from)| *to = *from);
                }
            }
        }
        key
    }
}

fn damaged() -> Problem {
    (Code::KeyContent, "holds a private key that is damaged".into())
}

/// A form that OpenSSL can turn into one that is read here.
fn unreadable(why: impl std::fmt::Display) -> Problem {
    let what = format!(
        "holds an encrypted private key that can't be read, since {why}; this converts it: \
         openssl pkcs8 -topk8 -v2 aes-256-cbc -in OLD -out NEW"
    );
    (Code::KeyForm, what)
}

#[cfg(test)]
impl Locked {
    /// Whether it opens within milliseconds, also in a build that is not optimised.
    pub fn is_cheap(&self) -> bool {
        match &self.derivation {
            Derivation::Pbkdf2 { rounds, .. } => rounds.get() <= 100,
            Derivation::Scrypt { .. } => false,
            Derivation::Md5 { .. } => true,
        }
    }
}
