//! Reads archives in memory and within bounds; nothing is ever written. [`kind`] knows them by their first bytes, [`tar`] and
//! [`zip`] list what is in them, [`budget`] is what they may cost.

pub mod budget;
pub mod kind;
pub mod tar;
pub mod zip;
