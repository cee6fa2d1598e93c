//! Concurrency groups: who has a place, who waits, who is before whom. Every question is one transaction, so that all processes
//! on a state folder see the same line.

use crate::folder::StateFolder;
use crate::owner::is_driven;
use crate::schema::from_sqlite;
use crate::wish;
use orch_core::{Admission, GroupTicket, OnConflict, Person, RunId, StoreError, Timestamp, Wish};
use rusqlite::{Connection, params};
use std::cmp::Reverse;

/// A waiting run gains one point of priority in this time.
const MILLISECONDS_A_POINT: i64 = 60_000;

struct Ticket {
    number: i64,
    run: String,
    priority: i64,
    since: i64,
    admitted: bool,
    told: bool,
    over: bool,
    suspended: bool,
}

impl Ticket {
    /// What orders the line: the highest priority, then who waits longest, then who came first.
    fn turn(&self, now: Timestamp) -> (Reverse<i64>, i64, i64) {
        let waited = now.0.saturating_sub(self.since).max(0) / MILLISECONDS_A_POINT;
        (Reverse(self.priority.saturating_add(waited)), self.since, self.number)
    }
}

/// Asks for a place, inside of the caller's transaction.
pub(crate) fn enter(
    connection: &Connection,
    folder: &StateFolder,
    ticket: &GroupTicket,
    now: Timestamp,
) -> Result<Admission, StoreError> {
    let fail = |error: rusqlite::Error| from_sqlite(folder, &error);
    let own = ticket.run.as_str();
    // A run is in one group; in another one it begins at the end of the line.
    let is_new = connection
        .prepare_cached(
            "INSERT INTO places (run, grp, priority, since) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (run) DO UPDATE SET grp = excluded.grp, priority = excluded.priority, since = excluded.since,
             admitted = 0, told = 0 WHERE grp <> excluded.grp",
        )
        .and_then(|mut insert| insert.execute(params![own, ticket.group, ticket.priority, ticket.since.0]))
        .map_err(fail)?
        > 0;
    let mut line = Vec::new();
    let mut admitted = 0_u32;
    for other in tickets(connection, &ticket.group).map_err(fail)? {
        // A run that began to be driven, and has not said so in its log yet, counts as driven.
        let driven = other.run == own || RunId::try_from(other.run.as_str()).is_ok_and(|run| is_driven(folder, &run));
        // One that waits for people and was asked to make room ends as soon as anybody drives it: nobody has to wait for that.
        let leaves = other.told && other.suspended;
        if other.over || (!driven && (leaves || !other.suspended)) {
            remove(connection, &other.run).map_err(fail)?;
        } else if other.admitted {
            admitted += 1;
        } else if driven {
            line.push(other);
        }
        // Else it is suspended and waits: it keeps its turn for the time when it is driven again, and holds up nobody.
    }
    line.sort_by_key(|waiting| waiting.turn(now));
    let free = usize::try_from(ticket.limit.saturating_sub(admitted)).unwrap_or(usize::MAX).min(line.len());
    for next in line.drain(..free) {
        connection
            .prepare_cached("UPDATE places SET admitted = 1 WHERE number = ?1")
            .and_then(|mut update| update.execute([next.number]))
            .map_err(fail)?;
    }
    let Some(ahead) = line.iter().position(|waiting| waiting.run == own) else {
        return if is_there(connection, own).map_err(fail)? {
            Ok(Admission::Admitted)
        } else {
            Ok(Admission::TurnedAway { reason: "the run is over".to_owned() })
        };
    };
    if is_new && let Some(reason) = turned_away(ticket, line.len() - 1) {
        remove(connection, own).map_err(fail)?;
        return Ok(Admission::TurnedAway { reason });
    }
    if ticket.on_conflict == OnConflict::CancelRunning {
        cancel_running(connection, folder, ticket)?;
    }
    Ok(Admission::Waiting { ahead: u32::try_from(ahead).unwrap_or(u32::MAX) })
}

/// Why a run that has just come cannot wait.
fn turned_away(ticket: &GroupTicket, waiting: usize) -> Option<String> {
    let (group, limit) = (&ticket.group, ticket.limit);
    if ticket.on_conflict == OnConflict::Cancel {
        return Some(format!("all places of concurrency group `{group}` are taken ({limit} at once)"));
    }
    let full = waiting >= usize::try_from(ticket.queue).unwrap_or(usize::MAX);
    full.then(|| format!("{waiting} runs wait already for concurrency group `{group}`, which is as many as may"))
}

/// Asks those that have a place to make room, each once.
fn cancel_running(connection: &Connection, folder: &StateFolder, ticket: &GroupTicket) -> Result<(), StoreError> {
    let fail = |error: rusqlite::Error| from_sqlite(folder, &error);
    let by = Person { name: format!("concurrency group `{}`", ticket.group), groups: Vec::new() };
    let wish = Wish::Cancel { by, undo: false };
    for other in tickets(connection, &ticket.group).map_err(fail)? {
        if !other.admitted || other.told {
            continue;
        }
        let Ok(run) = RunId::try_from(other.run.as_str()) else { continue };
        match wish::keep(connection, folder, &run, &wish) {
            // It has a place and no first event yet: the next question finds it.
            Err(StoreError::UnknownRun(_)) => continue,
            kept => kept?,
        }
        connection
            .prepare_cached("UPDATE places SET told = 1 WHERE number = ?1")
            .and_then(|mut update| update.execute([other.number]))
            .map_err(fail)?;
    }
    Ok(())
}

fn tickets(connection: &Connection, group: &str) -> rusqlite::Result<Vec<Ticket>> {
    let sql = "SELECT p.number, p.run, p.priority, p.since, p.admitted, p.told, r.outcome IS NOT NULL,
               coalesce(r.suspended, 0) FROM places p LEFT JOIN runs r ON r.id = p.run WHERE p.grp = ?1";
    let mut query = connection.prepare_cached(sql)?;
    let tickets = query.query_map([group], |row| {
        Ok(Ticket {
            number: row.get(0)?,
            run: row.get(1)?,
            priority: row.get(2)?,
            since: row.get(3)?,
            admitted: row.get(4)?,
            told: row.get(5)?,
            over: row.get(6)?,
            suspended: row.get(7)?,
        })
    })?;
    tickets.collect()
}

fn is_there(connection: &Connection, run: &str) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM places WHERE run = ?1")?.exists([run])
}

/// Takes a run out of its group.
pub(crate) fn remove(connection: &Connection, run: &str) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM places WHERE run = ?1")?.execute([run]).map(|_| ())
}
