//! Manifests read and written, and what is refused.

use super::*;

const TWO_GENERATIONS: &str = "\
file a.shard-0000.1.incr.aof seq 1 type i generation 1 shard 0 shards 2
file a.shard-0001.1.incr.aof seq 2 type i generation 1 shard 1 shards 2
file a.shard-0000.2.incr.aof seq 3 type i generation 2 shard 0 shards 1
";

fn fault(text: &str) -> ManifestFault {
    Manifest::parse(text.as_bytes()).expect_err("a faulty manifest").fault
}

#[test]
fn what_is_written_reads_back() {
    let manifest = Manifest::parse(TWO_GENERATIONS.as_bytes()).unwrap();
    assert_eq!(manifest.write(), TWO_GENERATIONS.as_bytes());
    let shards: Vec<_> = manifest.generations().map(|g| (g.number, g.shards)).collect();
    assert_eq!(shards, [(1, 2), (2, 1)]);
    assert_eq!(manifest.generations().next().unwrap().chain(1).count(), 1);
}

#[test]
fn a_manifest_of_redis_is_generation_zero() {
    let text = "# written by hand\n\
        file appendonly.aof.1.base.aof seq 1 type b\n\
        file appendonly.aof.3.incr.aof seq 3 type h\n\
        file appendonly.aof.1.incr.aof seq 1 type i\n\
        file appendonly.aof.2.incr.aof seq 2 type i\n";
    let manifest = Manifest::parse(text.as_bytes()).unwrap();
    let generation = manifest.last_generation().unwrap();
    assert_eq!((generation.number, generation.shards), (0, 1));
    let chain: Vec<_> = generation.chain(0).map(|file| file.role).collect();
    assert_eq!(chain, [Role::Base, Role::Increment, Role::Increment]);
}

#[test]
fn bases_of_ours_are_increments_to_redis() {
    let mut manifest = Manifest::default();
    for (shard, role) in [(0, Role::Base), (1, Role::Base), (0, Role::Increment)] {
        let name = format!("x.{shard}.{role:?}.aof");
        manifest.push(SegmentFile { name, seq: 0, role, generation: 4, shard, shards: 2 });
    }
    let name = "x.last.aof".to_owned();
    let role = Role::Increment;
    manifest.push(SegmentFile { name, seq: 0, role, generation: 4, shard: 1, shards: 2 });
    let text = String::from_utf8(manifest.write()).unwrap();
    assert!(!text.contains("type b"), "{text}");
    assert_eq!(Manifest::parse(text.as_bytes()), Ok(manifest));
}

#[test]
fn faults_are_named() {
    use ManifestFault as F;
    let long = "file a seq 1 type i generation 1 shard 0 shards 2\n";
    let cases: &[(&str, F)] = &[
        ("", F::Empty),
        ("# nothing\n", F::Empty),
        ("file a seq 1 type i", F::NoLineEnd),
        ("file a seq 1\n", F::Form),
        ("\n", F::Form),
        ("file a seq 0 type i\n", F::Form),
        ("file a seq x type i\n", F::Form),
        ("file a seq 1 type i odd\n", F::Form),
        ("file ../a seq 1 type i\n", F::Name),
        ("file a/b seq 1 type i\n", F::Name),
        ("file a seq 1 type z\n", F::Kind),
        ("file a seq 1 type i generation 1 shard 2 shards 2\n", F::Shards),
        ("file a seq 1 type i generation 1 shard 0 shards 1025\n", F::Shards),
        ("file a seq 1 type i generation 1 shard 0\n", F::Form),
        ("file a seq 1 type i\nfile a seq 2 type i\n", F::NameTwice),
        ("file a seq 2 type i\nfile b seq 2 type i\n", F::SeqFalls),
        ("file a seq 1 type b\nfile b seq 1 type b\n", F::SeqFalls),
        ("file a seq 1 type b\nfile b seq 2 type b\n", F::BaseNotFirst),
        ("file a seq 1 type i\nfile b seq 1 type b\n", F::BaseNotFirst),
        (long, F::ShardMissing { shard: 1 }),
    ];
    for (text, expected) in cases {
        assert_eq!(fault(text), *expected, "{text:?}");
    }
    let shard = |seq, generation, shard, shards| {
        format!(
            "file f{seq} seq {seq} type i generation {generation} shard {shard} shards {shards}\n"
        )
    };
    assert_eq!(fault(&(shard(1, 2, 0, 1) + &shard(2, 1, 0, 1))), F::GenerationFalls);
    assert_eq!(fault(&(shard(1, 1, 0, 2) + &shard(2, 1, 1, 3))), F::ShardsDiffer);
}

#[test]
fn the_line_is_named() {
    let text = "file a seq 1 type i\nfile b seq 2 type q\n";
    let error = Manifest::parse(text.as_bytes()).expect_err("type q");
    assert_eq!(error.to_string(), "line 2: a type other than b, i, h");
}
