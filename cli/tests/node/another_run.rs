use crate::sandbox::Sandbox;

#[test]
fn a_second_run_is_refused_and_the_first_goes_on() {
    let sandbox = Sandbox::new();
    let mut first = sandbox.start();
    let (standing, agent) = (sandbox.standing(), first.agent());
    let told = sandbox.run_in_vain(&[]);
    insta::assert_snapshot!(told.replace(&format!("pid {}", first.pid()), "pid [pid]"));
    assert!(first.is_alive());
    assert_eq!((sandbox.standing(), first.agent()), (standing, agent));
}

#[test]
fn a_second_agent_does_not_write_to_the_same_pins() {
    let sandbox = Sandbox::new();
    let mut first = sandbox.start();
    let standing = sandbox.standing();
    insta::assert_snapshot!(sandbox.agent_in_vain("other-state"));
    assert!(first.is_alive());
    assert_eq!(sandbox.standing(), standing);
}
