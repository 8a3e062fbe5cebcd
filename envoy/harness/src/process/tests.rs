use std::io::{BufRead, BufReader};

use super::*;

fn sleeper() -> Command {
    let mut command = Command::new("sh");
    // A child of the child: the whole group has to go.
    command.args(["-c", "sleep 600 & echo started; wait"]);
    command
}

/// Waits until the process is no more. One that is dead but that its new parent, the machine's first process, has not
/// yet asked about counts as gone: in a container it may never ask.
fn gone(id: u32) -> bool {
    let deadline = Instant::now() + Duration::from_secs(5);
    while Instant::now() < deadline {
        // `ID (NAME) STATE ...`: not every machine has `ps`.
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        if stat.rsplit_once(") ").is_none_or(|(_, state)| state.starts_with(['Z', 'X'])) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

#[tokio::test]
async fn a_dropped_process_is_killed() {
    let process = Process::spawn("sleeper", &mut sleeper()).unwrap();
    let (id, watchdog) = (process.id(), process.watchdog.id());
    process.log().wait_for(Default::default(), "started", Duration::from_secs(5)).await.unwrap();
    drop(process);
    assert!(gone(id));
    assert!(gone(watchdog));
}

#[tokio::test]
async fn a_stopped_process_says_how_it_ended() {
    let process = Process::spawn("sleeper", &mut sleeper()).unwrap();
    process.log().wait_for(Default::default(), "started", Duration::from_secs(5)).await.unwrap();
    let status = process.stop(Duration::from_secs(5)).await.unwrap();
    assert!(!status.success());
}

#[tokio::test]
async fn a_process_that_ended_is_an_error_with_its_last_words() {
    let mut process =
        Process::spawn("failing", Command::new("sh").args(["-c", "echo no luck; exit 3"])).unwrap();
    process.wait(Duration::from_secs(5)).await.unwrap();
    process.log().wait_for(Default::default(), "no luck", Duration::from_secs(5)).await.unwrap();
    let error = process.expect_running().unwrap_err().to_string();
    assert!(error.contains("failing ended") && error.contains("no luck"), "{error}");
}

#[test]
fn a_missing_program_is_named() {
    let error = Process::spawn("the application", &mut Command::new("/nonexistent/shop")).unwrap_err();
    assert_eq!(error.to_string(), "cannot start the application (`/nonexistent/shop`)");
}

/// Not a test of its own: the program that `a_killed_program_leaves_nothing` starts and kills.
#[tokio::test]
#[ignore = "started by a_killed_program_leaves_nothing"]
async fn program_to_be_killed() {
    let process = Process::spawn("sleeper", &mut sleeper()).unwrap();
    // From here on the child writes nothing: it cannot die of a closed pipe in the watchdog's place.
    process.log().wait_for(Default::default(), "started", Duration::from_secs(5)).await.unwrap();
    println!("child {}", process.id());
    std::thread::sleep(Duration::from_secs(600));
}

#[test]
fn a_killed_program_leaves_nothing() {
    let mut program = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "process::tests::program_to_be_killed", "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(program.stdout.take().unwrap()).lines();
    let id =
        lines.map_while(Result::ok).find_map(|line| line.strip_prefix("child ").map(str::to_owned)).unwrap();
    program.kill().unwrap();
    program.wait().unwrap();
    assert!(gone(id.parse().unwrap()));
}
